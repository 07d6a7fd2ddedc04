"""The data stack: the services' tables, the monolith's database, secrets, topic and queues.

Tables and subscriptions depend on the stage. Other stacks use tables by name, not by a reference
between stacks, so that a remaining reference never blocks their removal. Topic and queues exist at
every stage: they cost nothing, and CloudFormation can't adopt a retained queue by its name.
"""

import json
from collections.abc import Iterator

from aws_cdk import Aws, Duration, SecretValue, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from chassis.dynamodb.tables import Table
from chassis.messaging import subscriptions
from forum.domains import subscription as monolith_subscription
from infra import stages
from infra.cdk import names
from infra.cdk.constructs import alarms
from infra.cdk.constructs.postgres import Postgres
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks.network import Network
from infra.domains import SERVICES


def wanted(options: DeploymentOptions) -> Iterator[subscriptions.Subscription]:
    """Yield the components' own subscriptions; none without services."""
    for service in options.services:
        yield SERVICES[service].subscription
    if options.services:
        yield monolith_subscription(options.extracted, options.moving)


class Data(Stack):
    """All data of a stage. In production it is retained, and protected against deletion."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: DeploymentOptions, network: Network
    ) -> None:
        super().__init__(scope, construct_id)
        self.options = options
        self.removal = names.removal(options)
        for service in options.services:
            for table in SERVICES[service].tables:
                self._table(table)
        self._bus()
        self.shared = self._secret(
            "Shared", names.shared_secret(options), "secret_key and public keys"
        )
        self.signing = self._secret("Signing", names.signing_secret(options), "private keys")
        self.database = Postgres(
            self,
            "Database",
            options=options,
            vpc=network.vpc,
            group=network.database_group,
            subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        )
        alarms.DatabaseAlarms(self, "DatabaseAlarms", options=options, instance=options.name)

    def _table(self, table: Table) -> None:
        made = dynamodb.Table(
            self,
            _logical(table.name),
            table_name=self.options.prefix + table.name,
            partition_key=_key(table.partition),
            sort_key=_key(table.sort) if table.sort else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=table.ttl_attribute,
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self.options.production,
            removal_policy=self.removal,
        )
        for index in table.indexes:
            made.add_global_secondary_index(
                index_name=index.name,
                partition_key=_key(index.partition),
                sort_key=_key(index.sort),
            )

    def _bus(self) -> None:
        """Create the topic of all events, all queues, and the stage's subscriptions."""
        prefix = self.options.prefix
        topic = sns.Topic(
            self, "Events", topic_name=subscriptions.topic_name(prefix), enforce_ssl=True
        )
        for statement in _topic_policy(self.options, topic.topic_arn):
            topic.add_to_resource_policy(statement)
        subscribed = {taken.component: taken for taken in wanted(self.options)}
        for component in stages.COMPONENTS:
            queue, dead = self._queues(component, topic)
            if component in subscribed:
                self._subscribe(topic, queue, dead, subscribed[component])

    def _queues(self, component: str, topic: sns.ITopic) -> tuple[sqs.Queue, sqs.Queue]:
        """Create the queue of a component, and the one for its dead letters."""
        own, name = subscriptions.Subscription(component, ()), component.capitalize()
        dead = sqs.Queue(
            self,
            f"{name}DeadLetters",
            queue_name=own.dead_letter_queue_name(self.options.prefix),
            retention_period=Duration.seconds(subscriptions.DEAD_RETENTION_SECONDS),
            enforce_ssl=True,
            removal_policy=self.removal,
        )
        queue = sqs.Queue(
            self,
            f"{name}Queue",
            queue_name=own.queue_name(self.options.prefix),
            retention_period=Duration.seconds(subscriptions.RETENTION_SECONDS),
            visibility_timeout=Duration.seconds(subscriptions.VISIBILITY_SECONDS),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=dead, max_receive_count=subscriptions.MAX_RECEIVES
            ),
            enforce_ssl=True,
            removal_policy=self.removal,
        )
        role = role_arn(self.options, component)
        for each in (queue, dead):
            for statement in subscriptions.queue_policy(topic.topic_arn, each.queue_arn)[
                "Statement"
            ]:
                each.add_to_resource_policy(iam.PolicyStatement.from_json(statement))
            each.add_to_resource_policy(_only_sender(each, role, topic.topic_arn))
        return queue, dead

    def _subscribe(
        self,
        topic: sns.ITopic,
        queue: sqs.IQueue,
        dead: sqs.IQueue,
        subscription: subscriptions.Subscription,
    ) -> None:
        """Subscribe a queue; the topic puts what it can't deliver among the dead letters."""
        sns.CfnSubscription(
            self,
            f"{subscription.component.capitalize()}Subscription",
            topic_arn=topic.topic_arn,
            protocol="sqs",
            endpoint=queue.queue_arn,
            raw_message_delivery=True,
            filter_policy=subscription.filter_policy(),
            redrive_policy={"deadLetterTargetArn": dead.queue_arn},
        )

    def _secret(self, construct_id: str, name: str, holds: str) -> secretsmanager.Secret:
        """Create a secret that AWS can't generate; `infra.cdk.session_keys` fills it."""
        return secretsmanager.Secret(
            self,
            construct_id,
            secret_name=name,
            description=f"JSON with {holds}; python -m infra.cdk.session_keys fills it",
            secret_string_value=SecretValue.unsafe_plain_text(json.dumps({})),
            removal_policy=self.removal,
        )


def role_arn(options: DeploymentOptions, component: str) -> str:
    """Return the ARN of the role of a component's tasks."""
    return f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/{names.role(options, component)}"


def _only_sender(queue: sqs.IQueue, role: str, topic: str) -> iam.PolicyStatement:
    """Refuse messages to a queue of anybody but its component, which redrives, and the topic."""
    return iam.PolicyStatement(
        sid="OnlyOwnSenders",
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=["sqs:SendMessage"],
        resources=[queue.queue_arn],
        conditions={
            "StringNotEquals": {"aws:PrincipalArn": role},
            "ArnNotEquals": {"aws:SourceArn": topic},
        },
    )


def _topic_policy(options: DeploymentOptions, topic: str) -> Iterator[iam.PolicyStatement]:
    """Yield what the topic refuses, whatever the permissions of the caller.

    Roles and queues are those of every stage, by name: a deployment of another stage must not
    depend on the order in which it changes this policy, roles and subscriptions.
    """

    def refuse(sid: str, action: str, key: str, allowed: list[str]) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid=sid,
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=[action],
            resources=[topic],
            conditions={"StringNotEquals": {key: allowed}},
        )

    yield refuse(
        "OnlyComponentsPublish",
        "sns:Publish",
        "aws:PrincipalArn",
        # One, where all tasks have an existing role.
        list(dict.fromkeys(role_arn(options, each) for each in stages.COMPONENTS)),
    )
    queues = [subscriptions.Subscription(each, ()) for each in stages.COMPONENTS]
    yield refuse(
        "OnlyQueuesOfComponentsSubscribe",
        "sns:Subscribe",
        "sns:Endpoint",
        [
            f"arn:{Aws.PARTITION}:sqs:{Aws.REGION}:{Aws.ACCOUNT_ID}:{queue.queue_name(options.prefix)}"
            for queue in queues
        ],
    )


def table_arns(options: DeploymentOptions, service: str) -> list[str]:
    """Return the ARNs of a service's tables and of their indexes, each by its name."""
    arns = []
    for table in SERVICES[service].tables:
        arn = (
            f"arn:{Aws.PARTITION}:dynamodb:{Aws.REGION}:{Aws.ACCOUNT_ID}"
            f":table/{options.prefix}{table.name}"
        )
        arns += [arn, *(f"{arn}/index/{index.name}" for index in table.indexes)]
    return arns


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _logical(table: str) -> str:
    return "".join(part.capitalize() for part in table.split("-")) + "Table"
