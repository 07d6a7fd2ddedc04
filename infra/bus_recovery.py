"""Recovery of the local bus: `python -m infra.bus_recovery`, in `make run` and in Compose.

MiniStack keeps its topic, queues and messages in memory. If any of them is missing, this process
creates the topic and the queues, and marks all events that may have been lost for republishing. A
checkpoint limits how far back that goes: it is recorded whenever no event is in flight, because
every earlier event has then arrived. Consumers ignore events that they have already applied.

It also deletes expired items, which no other process does in local runs.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from chassis import healthcheck, logs
from chassis.clock import Clock, format_timestamp, parse_timestamp, utc_now, uuid7
from chassis.dynamodb.database import Database as DynamoDatabase
from chassis.dynamodb.database import connect
from chassis.errors import Unavailable
from chassis.messaging.aws_clients import sns_client, sqs_client
from chassis.messaging.outbox import RETENTION, Outbox
from chassis.messaging.replay import MARGIN
from chassis.messaging.sqs_queue import Queue, QueueDepth
from chassis.messaging.subscriptions import Subscription
from forum.database import Database
from forum.outbox import SqlOutbox
from infra import ministack, provisioning, stages
from infra.atomic_file import write_atomically
from infra.current_stage import CurrentStage
from infra.domains import SERVICES
from infra.expired_items import ExpiredItems
from infra.ministack import PREFIX

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

CHECK_SECONDS, CHECKPOINT_SECONDS = 1.0, 5.0
# Between two passes over all tables; during one, a page is read after each check of the bus.
PAUSE_SECONDS = 60.0
# Created last: without this queue, events may have been lost.
COMPLETE = f"{PREFIX}complete"
_LOG = logging.getLogger(__name__)


class BusRecovery:
    """The bus and the outboxes of a stage, and the file that holds its checkpoint."""

    def __init__(
        self,
        sns: "SNSClient",
        sqs: "SQSClient",
        *,
        subscriptions: Sequence[Subscription],
        outboxes: Sequence[Outbox],
        queues: Sequence[Queue],
        checkpoint: Path,
    ) -> None:
        self._sns, self._sqs, self._outboxes, self._queues = sns, sqs, outboxes, queues
        self._subscribed = {one.queue_name(PREFIX) for one in subscriptions}
        dead_letters = {one.dead_letter_queue_name(PREFIX) for one in subscriptions}
        self._queue_names = {COMPLETE} | self._subscribed | dead_letters
        self._checkpoint = checkpoint

    def is_complete(self) -> bool:
        """Return whether the bus has run without interruption since the last recovery.

        In two calls, because it is asked every second.
        """
        queues = self._sqs.list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", [])
        try:
            found = self._sns.list_subscriptions_by_topic(TopicArn=ministack.TOPIC_ARN)
        except self._sns.exceptions.NotFoundException:
            return False
        subscribed = {one["Endpoint"].rpartition(":")[2] for one in found["Subscriptions"]}
        names = {url.rpartition("/")[2] for url in queues}
        return self._queue_names <= names and self._subscribed <= subscribed

    def mark_incomplete(self) -> None:
        """Delete the marker queue: a recovery that fails midway has to begin again."""
        with suppress(self._sqs.exceptions.QueueDoesNotExist):
            self._sqs.delete_queue(QueueUrl=self._sqs.get_queue_url(QueueName=COMPLETE)["QueueUrl"])

    def republish(self, clock: Clock) -> int:
        """Mark all events that may have been lost for republishing; return their number."""
        try:
            since = parse_timestamp(self._checkpoint.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            # None yet, or damaged: all events that outboxes still have.
            since = clock() - RETENTION
        count = sum(outbox.republish_since(since - MARGIN) for outbox in self._outboxes)
        self._sqs.create_queue(QueueName=COMPLETE)
        return count

    def record_checkpoint(self, now: datetime) -> None:
        """Record a checkpoint if every event up to now has arrived."""
        # In this order: an event that has left its outbox is on the bus before the queues are read.
        if any(outbox.oldest_unpublished_at() for outbox in self._outboxes):
            return
        if all(queue.depth() == QueueDepth(0, 0, 0) for queue in self._queues):
            self._checkpoint.parent.mkdir(exist_ok=True)
            write_atomically(self._checkpoint, format_timestamp(now))


def build_recovery(
    stage: CurrentStage, tables: DynamoDatabase, database_url: str, checkpoint: Path
) -> BusRecovery:
    """Build the recovery of a stage, without opening a connection."""
    sqs = sqs_client(1)
    bus = boto3.client("sqs").meta.endpoint_url
    outboxes: list[Outbox] = [
        SERVICES[name].outbox(tables, utc_now, uuid7) for name in stage.services
    ]
    return BusRecovery(
        sns_client(),
        sqs,
        subscriptions=provisioning.bus_subscriptions(stage),
        outboxes=[*outboxes, SqlOutbox(Database(database_url), utc_now)],
        queues=[
            Queue(sqs, *ministack.queue_urls(bus, name))
            for name in (stages.MONOLITH, *stage.services)
        ],
        checkpoint=checkpoint,
    )


def build_expired_items(stage: CurrentStage, tables: DynamoDatabase) -> ExpiredItems:
    """Build the deletion of a stage's expired items."""
    owned = [table for name in stage.services for table in SERVICES[name].tables]
    return ExpiredItems(tables.client, tables.prefix, owned, utc_now)


def run(read_stage: Callable[[], CurrentStage], database_url: str, checkpoint: Path) -> None:
    """Recover the bus of a forum's current stage, and delete expired items, until SIGTERM."""
    # At once: SystemExit is lost if the signal arrives while an object is collected.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    logs.configure("bus-recovery", "text" if os.environ.get("LOG_FORMAT") == "text" else "json")
    tables = DynamoDatabase(connect(), PREFIX)
    stage: CurrentStage | None = None
    recorded = next_pass = 0.0
    waiting: dict[str, str] = {}
    while True:
        if (current := read_stage()) != stage:
            stage = current
            recovery = build_recovery(stage, tables, database_url, checkpoint)
            expired = build_expired_items(stage, tables)
        with _retried("bus recovery", waiting):
            if not recovery.is_complete():
                if read_stage() != stage:
                    continue  # a move has just dropped the subscription of a domain
                recovery.mark_incomplete()
                provisioning.provision_queues(stage.extracted, stage.moving)
                count = recovery.republish(utc_now)
                _LOG.info("bus recovered; %d events will be published again", count)
            if time.monotonic() > recorded + CHECKPOINT_SECONDS:
                recovery.record_checkpoint(utc_now())
                recorded = time.monotonic()
            healthcheck.record_heartbeat()
        with _retried("deletion of expired items", waiting):
            if time.monotonic() > next_pass and expired.delete_page():
                next_pass = time.monotonic() + PAUSE_SECONDS
        time.sleep(CHECK_SECONDS)


@contextmanager
def _retried(task: str, waiting: dict[str, str]) -> Iterator[None]:
    """Log failures of a task that is retried after each check, once for each error.

    `waiting` maps tasks to the error that they wait for.
    """
    try:
        yield
    # OSError: there may be no room for the checkpoint.
    except (Unavailable, BotoCoreError, ClientError, OSError) as error:
        if waiting.get(task) != str(error):
            _LOG.warning("%s is waiting: %s", task, error)
            waiting[task] = str(error)
    else:
        if waiting.pop(task, None):
            _LOG.info("%s goes on", task)


if __name__ == "__main__":
    run(
        provisioning.current_stage,
        os.environ["DATABASE_URL"],
        Path(os.environ["CHECKPOINT_FILE"]),
    )
