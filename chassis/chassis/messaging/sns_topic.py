"""The topic to which events are published."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chassis.batching import batched
from chassis.errors import Unavailable
from chassis.messaging.aws_clients import call_aws, string_attribute
from chassis.messaging.events import CONTENT_TYPE, MAX_BYTES, Event

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

_LOG = logging.getLogger(__name__)
BATCH = 10
"""Maximum number of messages per call of SNS or SQS."""


class Topic:
    """The topic to which events are published."""

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, events: Sequence[Event]) -> list[Event]:
        """Publish events; return those that were accepted.

        Raises:
            Unavailable: the topic can't be reached, and none was published.
        """
        written = [(event, event.to_json()) for event in events]
        sized = ((entry, len(entry[1].encode())) for entry in written)
        taken: list[Event] = []
        try:
            for batch in batched(sized, BATCH, MAX_BYTES):
                taken += self._publish([entry for entry, _ in batch])
        except Unavailable:
            if not taken:
                raise
        return taken

    def _publish(self, batch: Sequence[tuple[Event, str]]) -> list[Event]:
        try:
            answer = call_aws(
                self._client.publish_batch,
                TopicArn=self._arn,
                PublishBatchRequestEntries=[
                    {
                        "Id": str(place),
                        "Message": written,
                        "MessageAttributes": {
                            "type": string_attribute(event.type),
                            "content-type": string_attribute(CONTENT_TYPE),
                        },
                    }
                    for place, (event, written) in enumerate(batch)
                ],
            )
        except ClientError as error:
            if len(batch) == 1:
                _LOG.error("event %s is refused: %s", batch[0][0].id, error)
                return []
            # One of them is invalid, which must not delay the others.
            return [event for entry in batch for event in self._publish([entry])]
        for failure in answer.get("Failed", []):
            event = batch[int(failure["Id"])][0]
            _LOG.warning("event %s was not taken: %s", event.id, failure.get("Code"))
        return [batch[int(entry["Id"])][0] for entry in answer.get("Successful", [])]
