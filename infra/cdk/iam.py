"""What a component's tasks may do: read and write its own tables, take its own queue, publish.

Every resource is named; nothing here ends in a star.
"""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from chassis.messaging import subscriptions
from infra import stages
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks.data import table_arns

# What chassis.dynamodb.database calls; a transaction needs the rights of its actions.
TABLE_ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
# What chassis.messaging.queue calls, on the queue and its dead letters, which it may put back.
QUEUE_ACTIONS = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
)


def grant_component(role: iam.Role, *, options: DeploymentOptions, component: str) -> None:
    """Let a component's tasks do what they are there for."""
    if component != stages.MONOLITH:
        role.add_to_policy(
            iam.PolicyStatement(
                sid="OwnTables",
                actions=list(TABLE_ACTIONS),
                resources=table_arns(options, component),
            )
        )
    if options.extracted:
        own = subscriptions.Subscription(component, ())
        queues = (own.queue_name(options.prefix), own.dead_letter_queue_name(options.prefix))
        role.add_to_policy(
            iam.PolicyStatement(
                sid="OwnQueues",
                actions=list(QUEUE_ACTIONS),
                resources=[_arn("sqs", name) for name in queues],
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                sid="Events",
                actions=["sns:Publish"],
                resources=[_arn("sns", subscriptions.topic_name(options.prefix))],
            )
        )


def bus_settings(options: DeploymentOptions, component: str) -> dict[str, str]:
    """Return a component's settings for its events; none where nobody is told anything."""
    if not options.extracted:
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
