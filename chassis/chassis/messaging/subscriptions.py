"""Topic, queues, subscriptions and their policies, defined once.

Local provisioning creates them by `provision_bus`; the CloudFormation templates use the same names,
numbers and policies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

VISIBILITY_SECONDS = 10
"""Initial visibility timeout of a received message; the consumer extends it."""
MAX_RECEIVES = 50
"""Deliveries after which SQS dead-letters a message, because it probably crashes its consumer."""
RETENTION_SECONDS = 4 * 24 * 3600
DEAD_RETENTION_SECONDS = 14 * 24 * 3600


@dataclass(frozen=True)
class Subscription:
    """The types of events that a component receives, such as `user.updated`."""

    component: str
    event_types: tuple[str, ...]

    def filter_policy(self) -> dict[str, list[str]]:
        """Return the subscription's filter on the message attribute `type`."""
        return {"type": sorted(self.event_types)}

    def queue_name(self, prefix: str) -> str:
        """Return the queue's name."""
        return f"{prefix}{self.component}"

    def dead_letter_queue_name(self, prefix: str) -> str:
        """Return the dead-letter queue's name."""
        return f"{prefix}{self.component}-dead-letters"


def topic_name(prefix: str) -> str:
    """Return the name of the topic for all events."""
    return f"{prefix}events"


def queue_policy(topic_arn: str, queue_arn: str) -> dict[str, Any]:
    """Return the queue's policy: it allows only this topic to send messages."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
            }
        ],
    }


def redrive_policy(dead_letter_arn: str) -> dict[str, Any]:
    """Return the redrive policy of a queue."""
    return {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": MAX_RECEIVES}


@dataclass(frozen=True)
class BusEndpoints:
    """The topic and queues of a component, as in its settings."""

    topic_arn: str
    queue_url: str
    dead_letter_queue_url: str


def provision_bus(
    sns: SNSClient, sqs: SQSClient, prefix: str, subscriptions: Iterable[Subscription]
) -> dict[str, BusEndpoints]:
    """Create or update topic, queues and subscriptions as defined; idempotent.

    An event published before the subscriptions exist is delivered to no queue. So after a bus is
    lost and created again under running workers, their outboxes have to republish events.
    """
    made = [(subscription, *_queues(sqs, prefix, subscription)) for subscription in subscriptions]
    topic_arn = sns.create_topic(Name=topic_name(prefix))["TopicArn"]
    for subscription, url, arn, _ in made:
        policy = json.dumps(queue_policy(topic_arn, arn))
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        _subscribe(sns, topic_arn, arn, subscription)
    return {
        subscription.component: BusEndpoints(topic_arn, url, dead_url)
        for subscription, url, _, dead_url in made
    }


def _queues(sqs: SQSClient, prefix: str, subscription: Subscription) -> tuple[str, str, str]:
    """Create a component's queues; return the queue's URL and ARN, the dead-letter queue's URL."""
    dead_url, dead_arn = _queue(
        sqs,
        subscription.dead_letter_queue_name(prefix),
        {"MessageRetentionPeriod": str(DEAD_RETENTION_SECONDS)},
    )
    url, arn = _queue(
        sqs,
        subscription.queue_name(prefix),
        {
            "MessageRetentionPeriod": str(RETENTION_SECONDS),
            "VisibilityTimeout": str(VISIBILITY_SECONDS),
            "RedrivePolicy": json.dumps(redrive_policy(dead_arn)),
        },
    )
    return url, arn, dead_url


def _queue(sqs: SQSClient, name: str, attributes: dict[str, str]) -> tuple[str, str]:
    """Create or update a queue; return its URL and ARN."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)  # type: ignore[arg-type]
    response = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, response["Attributes"]["QueueArn"]


def _subscribe(sns: SNSClient, topic_arn: str, queue_arn: str, subscription: Subscription) -> None:
    """Create or update the subscription of a queue."""
    attributes = {
        "RawMessageDelivery": "true",
        "FilterPolicy": json.dumps(subscription.filter_policy()),
    }
    try:
        # With its attributes from the beginning: no event may arrive in another format.
        made = sns.subscribe(
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=queue_arn,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
    except sns.exceptions.InvalidParameterException:
        # SNS's error for an existing subscription with other attributes.
        made = sns.subscribe(
            TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, ReturnSubscriptionArn=True
        )
    for name, value in attributes.items():
        sns.set_subscription_attributes(
            SubscriptionArn=made["SubscriptionArn"], AttributeName=name, AttributeValue=value
        )
