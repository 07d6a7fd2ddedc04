"""Permissions of a component's tasks: its own tables, its own queue, and the topic.

Every resource is named; there are no wildcards.
"""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from constructs import Construct

from chassis.messaging import subscriptions
from infra import stages
from infra.cdk import names
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks.data import table_arns
from infra.runner.config import worker_name

# Calls of chassis.dynamodb.database; a transaction needs the permissions of its actions.
TABLE_ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
# Calls of chassis.messaging.sqs_queue, on the queue and the dead-letter queue, for redrives.
QUEUE_ACTIONS = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
)


def tasks_of_this_account() -> iam.ServicePrincipal:
    """Return ECS's tasks as the principal of a trust policy, those of this account only."""
    return iam.ServicePrincipal(
        "ecs-tasks.amazonaws.com",
        conditions={
            "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
            # ECS supports no narrower resource, such as a cluster.
            "ArnLike": {
                "aws:SourceArn": f"arn:{Aws.PARTITION}:ecs:{Aws.REGION}:{Aws.ACCOUNT_ID}:*"
            },
        },
    )


def existing_role(
    scope: Construct, construct_id: str, *, options: DeploymentOptions
) -> iam.IRole | None:
    """Refer to the existing role of all tasks, if the option `role` names one."""
    if not options.role:
        return None
    return iam.Role.from_role_name(scope, construct_id, options.role, mutable=False)


def task_role(
    scope: Construct, construct_id: str, *, options: DeploymentOptions, program: str
) -> iam.IRole:
    """Create the role of a program's tasks, or refer to the existing role of all tasks."""
    return existing_role(scope, construct_id, options=options) or iam.Role(
        scope,
        construct_id,
        role_name=names.role(options, program),
        assumed_by=tasks_of_this_account(),
        description=f"What tasks of {program} may do",
    )


def grant_component(role: iam.IRole, *, options: DeploymentOptions, component: str) -> None:
    """Grant a component's tasks their permissions."""
    if component != stages.MONOLITH:
        role.add_to_principal_policy(
            iam.PolicyStatement(
                sid="OwnTables",
                actions=list(TABLE_ACTIONS),
                resources=table_arns(options, component),
            )
        )
    if options.services:
        own = subscriptions.Subscription(component, ())
        queues = (own.queue_name(options.prefix), own.dead_letter_queue_name(options.prefix))
        role.add_to_principal_policy(
            iam.PolicyStatement(
                sid="OwnQueues",
                actions=list(QUEUE_ACTIONS),
                resources=[_arn("sqs", name) for name in queues],
            )
        )
        role.add_to_principal_policy(
            iam.PolicyStatement(
                sid="Events",
                actions=["sns:Publish"],
                resources=[_arn("sns", subscriptions.topic_name(options.prefix))],
            )
        )


def grant_mover(role: iam.IRole, *, options: DeploymentOptions, domain: str, rule: str) -> None:
    """Grant the tasks that move a domain their permissions.

    They read and write the tables of all services, because each has copies of others' records.
    """
    worker = f"service/{names.cluster(options)}/{names.service(worker_name(domain))}"
    for sid, actions, resources in (
        (
            "Tables",
            [*TABLE_ACTIONS, "dynamodb:BatchWriteItem", "dynamodb:Scan"],
            [arn for service in options.services for arn in table_arns(options, service)],
        ),
        ("Worker", ["ecs:UpdateService"], [_arn("ecs", worker)]),
        ("Route", ["elasticloadbalancing:ModifyRule"], [rule]),
        # AWS takes no resource for these, or none that is known before a task runs.
        (
            "Look",
            [
                "ecs:DescribeTasks",
                "ecs:ListTasks",
                "elasticloadbalancing:DescribeRules",
                "elasticloadbalancing:DescribeTargetHealth",
            ],
            ["*"],
        ),
    ):
        role.add_to_principal_policy(
            iam.PolicyStatement(sid=sid, actions=actions, resources=resources)
        )


def bus_settings(options: DeploymentOptions, component: str) -> dict[str, str]:
    """Return a component's settings of the bus; empty if no events are exchanged."""
    if not options.services:
        return {}
    own = subscriptions.Subscription(component, ())
    queues = f"https://sqs.{Aws.REGION}.{Aws.URL_SUFFIX}/{Aws.ACCOUNT_ID}"
    return {
        "EVENTS_TOPIC_ARN": _arn("sns", subscriptions.topic_name(options.prefix)),
        "EVENTS_QUEUE_URL": f"{queues}/{own.queue_name(options.prefix)}",
        "EVENTS_DEAD_LETTER_QUEUE_URL": f"{queues}/{own.dead_letter_queue_name(options.prefix)}",
    }


def _arn(service: str, name: str) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{name}"
