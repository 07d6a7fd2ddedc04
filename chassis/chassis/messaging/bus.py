"""The bus between components: one SNS topic, and an SQS queue per consumer.

boto3 reads its region, endpoint and credentials by itself. Nothing that answers a request of a
person uses this: writes go to the outbox, and only workers and status pages come here.
"""

from chassis.messaging.aws_clients import sns_client, sqs_client
from chassis.messaging.queue import MAX_REASON_LENGTH, Message, Queue, QueueDepth
from chassis.messaging.topic import BATCH, Topic
from chassis.settings import BusSettings

__all__ = [
    "BATCH",
    "MAX_REASON_LENGTH",
    "Message",
    "Queue",
    "QueueDepth",
    "Topic",
    "component_queue",
    "optional_component_queue",
    "sns_client",
    "sqs_client",
]


def component_queue(settings: BusSettings, wait_seconds: int = 0) -> Queue:
    """Build a component's own queue; opens no connection yet."""
    client = sqs_client(wait_seconds)
    return Queue(client, settings.events_queue_url, settings.events_dead_letter_queue_url)


def optional_component_queue(settings: BusSettings) -> Queue | None:
    """Build it for who only looks; None where nothing is exchanged."""
    return component_queue(settings) if settings.events_queue_url else None
