"""A component's queue, with its dead-letter queue."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chassis.messaging.aws_clients import call_aws, sqs_client, string_attribute
from chassis.messaging.sns_topic import BATCH
from chassis.settings import BusSettings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LOG = logging.getLogger(__name__)
MAX_REASON_LENGTH = 500
_FORWARDED_ATTRIBUTES = {"type", "content-type"}
_MAX_REDRIVEN, _REDRIVE_VISIBILITY = 10_000, 300


@dataclass(frozen=True)
class Message:
    """A delivered message; `received` counts its deliveries, including this one."""

    id: str
    body: str
    receipt_handle: str
    receive_count: int
    attributes: dict[str, Any]


@dataclass(frozen=True)
class QueueDepth:
    """Approximate numbers of messages: waiting, in flight, and dead letters."""

    queued: int
    in_flight: int
    dead_letters: int


class Queue:
    """A consumer's queue and its dead-letter queue.

    All methods raise `Unavailable` if the queue can't be reached.
    """

    def __init__(self, client: SQSClient, url: str, dead_url: str) -> None:
        self._client = client
        self._url = url
        self._dead_url = dead_url

    def receive(self, wait_seconds: int, most: int = BATCH) -> list[Message]:
        """Receive up to `BATCH` messages, waiting for them up to `wait_seconds`."""
        return self._receive(self._url, wait_seconds, most)

    def delete(self, messages: Sequence[Message]) -> None:
        """Acknowledge up to `BATCH` messages; after a failure, a message is delivered again."""
        self._delete(self._url, messages)

    def change_visibility(self, messages: Sequence[Message], seconds: int) -> None:
        """Hide up to `BATCH` messages from other consumers for some seconds; 0 returns them."""
        if messages:
            entries = [
                {"Id": str(n), "ReceiptHandle": m.receipt_handle, "VisibilityTimeout": seconds}
                for n, m in enumerate(messages)
            ]
            call_aws(
                self._client.change_message_visibility_batch, QueueUrl=self._url, Entries=entries
            )

    def requeue(self, message: Message, seconds: int) -> None:
        """Put a message at the end of the queue, as if never received, with a delay."""
        self._send(self._url, message, seconds=seconds)
        self.delete([message])

    def dead_letter(self, message: Message, reason: str) -> None:
        """Move a message to the dead letters, with the reason."""
        self._send(self._dead_url, message, reason=reason or "unknown")
        # Only now: a duplicate does no harm, a lost message would.
        self.delete([message])

    def redrive(self) -> int:
        """Move the dead letters back to the queue; return their number.

        A message that fails again in the meantime stays where it is.
        """
        found: list[Message] = []
        # All are received before the first is sent back, or one that fails at once would cycle
        # forever. With a wait, SQS looks for messages on all of its servers.
        while len(found) < _MAX_REDRIVEN:
            batch = self._receive(self._dead_url, 1, VisibilityTimeout=_REDRIVE_VISIBILITY)
            if not batch:
                break
            found += batch
        for start in range(0, len(found), BATCH):
            batch = found[start : start + BATCH]
            for message in batch:
                self._send(self._url, message)
            self._delete(self._dead_url, batch)
        return len(found)

    def depth(self) -> QueueDepth:
        """Count the messages, in two calls; SQS counts approximately."""
        queued, in_flight = self._count(self._url)
        dead, dead_in_flight = self._count(self._dead_url)
        return QueueDepth(queued, in_flight, dead + dead_in_flight)

    def _receive(
        self, url: str, wait_seconds: int, most: int = BATCH, **visibility: int
    ) -> list[Message]:
        answer = call_aws(
            self._client.receive_message,
            QueueUrl=url,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait_seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
            **visibility,
        )
        return [
            Message(
                id=raw["MessageId"],
                body=raw["Body"],
                receipt_handle=raw["ReceiptHandle"],
                receive_count=int(raw["Attributes"]["ApproximateReceiveCount"]),
                attributes=raw.get("MessageAttributes", {}),
            )
            for raw in answer.get("Messages", [])
        ]

    def _send(self, url: str, message: Message, *, reason: str = "", seconds: int = 0) -> None:
        attributes = {k: v for k, v in message.attributes.items() if k in _FORWARDED_ATTRIBUTES}
        if reason:
            attributes["reason"] = string_attribute(reason[:MAX_REASON_LENGTH])
        call_aws(
            self._client.send_message,
            QueueUrl=url,
            MessageBody=message.body,
            MessageAttributes=attributes,
            DelaySeconds=seconds,
        )

    def _delete(self, url: str, messages: Sequence[Message]) -> None:
        if not messages:
            return
        entries = [
            {"Id": str(n), "ReceiptHandle": m.receipt_handle} for n, m in enumerate(messages)
        ]
        answer = call_aws(self._client.delete_message_batch, QueueUrl=url, Entries=entries)
        for failure in answer.get("Failed", []):
            message = messages[int(failure["Id"])]
            _LOG.warning("message %s will come again: %s", message.id, failure.get("Code"))

    def _count(self, url: str) -> tuple[int, int]:
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        answer = call_aws(self._client.get_queue_attributes, QueueUrl=url, AttributeNames=names)
        visible, delayed, hidden = (int(answer["Attributes"].get(name, 0)) for name in names)
        return visible + delayed, hidden


def component_queue(settings: BusSettings, wait_seconds: int = 0) -> Queue:
    """Build a component's own queue, without opening a connection."""
    client = sqs_client(wait_seconds)
    return Queue(client, settings.events_queue_url, settings.events_dead_letter_queue_url)


def optional_component_queue(settings: BusSettings) -> Queue | None:
    """Build a component's own queue; None if no events are exchanged."""
    return component_queue(settings) if settings.events_queue_url else None
