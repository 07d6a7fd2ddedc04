"""The bus between components: one SNS topic, and an SQS queue per consumer.

boto3 reads its region, endpoint and credentials by itself. Nothing that answers a request of a
person uses this: writes go to the outbox, and only workers and status pages come here.
"""

from chassis.buscalls import connect_queue, connect_topic
from chassis.queues import LONGEST_REASON, Depth, Message, Queue
from chassis.topics import BATCH, Topic

__all__ = [
    "BATCH",
    "LONGEST_REASON",
    "Depth",
    "Message",
    "Queue",
    "Topic",
    "connect_queue",
    "connect_topic",
]
