"""The bus between components: one SNS topic, and an SQS queue per consumer.

boto3 reads its region, endpoint and credentials by itself. Nothing that answers a request of a
person uses this: writes go to the outbox, and only workers and status pages come here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chassis.errors import Unavailable
from chassis.events import CONTENT_TYPE, Event

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

BATCH = 10
"""The most messages that one call of SNS or SQS takes."""
MAX_BATCH_BYTES = 250 * 1024
"""What a batch may hold in all; SNS takes 256 KiB with the attributes."""
LONGEST_REASON = 500


@dataclass(frozen=True)
class Message:
    """A message as a queue delivered it; `received` counts its deliveries, this one included."""

    id: str
    body: str
    receipt: str
    received: int
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Depth:
    """About how many messages a queue holds: to be received, with a consumer, and given up."""

    waiting: int
    in_flight: int
    dead: int


def connect_topic() -> SNSClient:
    """Build the client of SNS."""
    return boto3.client("sns", config=_config(read_timeout=5))


def connect_queue(wait_seconds: int = 0) -> SQSClient:
    """Build the client of SQS, which may wait so long for messages."""
    return boto3.client("sqs", config=_config(read_timeout=wait_seconds + 5))


class Topic:
    """Where events are published."""

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, events: Sequence[Event]) -> list[Event]:
        """Publish events, and answer those that were taken.

        Raises:
            Unavailable: the topic can't be reached.
        """
        taken: list[Event] = []
        for batch in _batches(events):
            answer = _call(
                self._client.publish_batch,
                TopicArn=self._arn,
                PublishBatchRequestEntries=[
                    _entry(place, event, text) for place, (event, text) in enumerate(batch)
                ],
            )
            taken += [batch[int(entry["Id"])][0] for entry in answer.get("Successful", [])]
        return taken


class Queue:
    """A consumer's queue, and the one of its dead letters."""

    def __init__(self, client: SQSClient, url: str, dead_url: str) -> None:
        self._client = client
        self._url = url
        self._dead_url = dead_url

    def receive(self, wait_seconds: int) -> list[Message]:
        """Wait so long for messages, and take up to `BATCH`.

        Raises:
            Unavailable: the queue can't be reached; so do all methods here.
        """
        return self._receive(self._url, wait_seconds)

    def delete(self, messages: Sequence[Message]) -> None:
        """Acknowledge up to `BATCH` messages."""
        if messages:
            entries = [{"Id": str(n), "ReceiptHandle": m.receipt} for n, m in enumerate(messages)]
            _call(self._client.delete_message_batch, QueueUrl=self._url, Entries=entries)

    def hide(self, messages: Sequence[Message], seconds: int) -> None:
        """Keep up to `BATCH` messages from other consumers for so long from now; 0 gives back."""
        if messages:
            entries = [
                {"Id": str(n), "ReceiptHandle": m.receipt, "VisibilityTimeout": seconds}
                for n, m in enumerate(messages)
            ]
            _call(self._client.change_message_visibility_batch, QueueUrl=self._url, Entries=entries)

    def bury(self, message: Message, reason: str) -> None:
        """Move a message to the dead letters, with the reason."""
        attributes = dict(message.attributes)
        attributes["reason"] = _text(reason[:LONGEST_REASON] or "unknown")
        _call(
            self._client.send_message,
            QueueUrl=self._dead_url,
            MessageBody=message.body,
            MessageAttributes=attributes,
        )
        # Only now: sent twice does no harm, lost would.
        self.delete([message])

    def dig_up(self) -> int:
        """Move all dead letters back to the queue; answers how many."""
        count = 0
        while messages := self._receive(self._dead_url, 0):
            for message in messages:
                attributes = {k: v for k, v in message.attributes.items() if k != "reason"}
                _call(
                    self._client.send_message,
                    QueueUrl=self._url,
                    MessageBody=message.body,
                    MessageAttributes=attributes,
                )
                _call(
                    self._client.delete_message,
                    QueueUrl=self._dead_url,
                    ReceiptHandle=message.receipt,
                )
                count += 1
        return count

    def depth(self) -> Depth:
        """Count the messages, in two calls; SQS counts approximately."""
        waiting, in_flight = self._count(self._url)
        dead, dead_in_flight = self._count(self._dead_url)
        return Depth(waiting, in_flight, dead + dead_in_flight)

    def _receive(self, url: str, wait_seconds: int) -> list[Message]:
        answer = _call(
            self._client.receive_message,
            QueueUrl=url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=wait_seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [
            Message(
                id=raw["MessageId"],
                body=raw["Body"],
                receipt=raw["ReceiptHandle"],
                received=int(raw["Attributes"]["ApproximateReceiveCount"]),
                attributes=raw.get("MessageAttributes", {}),
            )
            for raw in answer.get("Messages", [])
        ]

    def _count(self, url: str) -> tuple[int, int]:
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        answer = _call(self._client.get_queue_attributes, QueueUrl=url, AttributeNames=names)
        visible, delayed, hidden = (int(answer["Attributes"].get(name, 0)) for name in names)
        return visible + delayed, hidden


def _config(read_timeout: int) -> Config:
    return Config(
        connect_timeout=0.5,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": 2},
    )


def _entry(place: int, event: Event, text: str) -> dict[str, Any]:
    attributes = {"type": _text(event.type), "content-type": _text(CONTENT_TYPE)}
    return {"Id": str(place), "Message": text, "MessageAttributes": attributes}


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _batches(events: Sequence[Event]) -> Iterator[list[tuple[Event, str]]]:
    """Cut events into batches, by number and by size."""
    batch: list[tuple[Event, str]] = []
    size = 0
    for event in events:
        text = event.to_json()
        length = len(text.encode())
        if batch and (len(batch) == BATCH or size + length > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((event, text))
        size += length
    if batch:
        yield batch


def _call(operation: Any, **arguments: Any) -> Any:
    try:
        return operation(**arguments)
    except (BotoCoreError, ClientError) as error:
        detail = "The bus between components can't be reached right now."
        raise Unavailable(detail) from error
