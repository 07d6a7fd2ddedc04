"""The bus between components: one SNS topic, and an SQS queue per consumer.

boto3 reads its region, endpoint and credentials by itself. Nothing that answers a request of a
person uses this: writes go to the outbox, and only workers and status pages come here.
"""

from chassis.messaging.aws_clients import connect_queue, connect_topic
from chassis.messaging.queue import LONGEST_REASON, Depth, Message, Queue
from chassis.messaging.topic import BATCH, Topic
from chassis.settings import BusSettings

__all__ = [
    "BATCH",
    "LONGEST_REASON",
    "Depth",
    "Message",
    "Queue",
    "Topic",
    "connect_queue",
    "connect_topic",
    "own_queue",
    "own_queue_if_any",
]


def own_queue(settings: BusSettings, wait_seconds: int = 0) -> Queue:
    """Build a component's own queue; opens no connection yet."""
    client = connect_queue(wait_seconds)
    return Queue(client, settings.events_queue_url, settings.events_dead_letters_url)


def own_queue_if_any(settings: BusSettings) -> Queue | None:
    """Build it for who only looks; None where nothing is exchanged."""
    return own_queue(settings) if settings.events_queue_url else None
