"""Look after the bus: `python -m infra.compose.bus_recovery`.

MiniStack has its topic, queues and messages in memory. Whenever it starts anew, it is given topic
and queues, and all components publish once more what may have been on it. How far back that
goes is noted whenever nothing is under way: every event recorded until then has arrived. When a
domain moves, this looks after another stage from then on.
"""

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from chassis import healthcheck, logs
from chassis.clock import Clock, format_timestamp, parse_timestamp, utc_now, uuid7
from chassis.dynamodb import database
from chassis.errors import Unavailable
from chassis.messaging.aws_clients import sqs_client
from chassis.messaging.outbox import RETENTION, Outbox
from chassis.messaging.queue import Queue, QueueDepth
from chassis.messaging.replay import MARGIN
from forum.database import Database
from forum.outbox import SqlOutbox
from infra import stages
from infra.compose.stage_file import CurrentStage, current_stage, initial_stage
from infra.domains import SERVICES
from infra.ministack import PREFIX

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LOOK_SECONDS, NOTE_SECONDS = 1.0, 5.0
NOTES = Path("/state/keeper")
DATABASE_URL = Path("/secrets/database_url")
# Made last: as long as it is there, nothing was lost.
COMPLETE = f"{PREFIX}complete"
PROVISION = (sys.executable, "-m", "infra.compose.provision")
_LOG = logging.getLogger(__name__)


class BusRecovery:
    """Knows the outboxes and queues of a stage, and in `note` since when they matter."""

    def __init__(
        self, sqs: "SQSClient", outboxes: Sequence[Outbox], queues: Sequence[Queue], note: Path
    ) -> None:
        self._sqs, self._outboxes, self._queues, self._note = sqs, outboxes, queues, note

    def is_complete(self) -> bool:
        """Tell whether the bus has been the same one since `complete`."""
        try:
            self._sqs.get_queue_url(QueueName=COMPLETE)
        except self._sqs.exceptions.QueueDoesNotExist:
            return False
        return True

    def republish(self, clock: Clock) -> int:
        """Have everything published again that may have been lost; answers how much that is."""
        try:
            since = parse_timestamp(self._note.read_text(encoding="utf-8"))
        except FileNotFoundError:
            since = clock() - RETENTION
        count = sum(outbox.republish_since(since - MARGIN) for outbox in self._outboxes)
        self._sqs.create_queue(QueueName=COMPLETE)
        return count

    def record_checkpoint(self, now: datetime) -> None:
        """Note that all that was recorded until now has arrived, if so."""
        # In this order: what is in no outbox any more was on the bus before the queues are seen.
        if any(outbox.oldest_unpublished_at() for outbox in self._outboxes):
            return
        if all(queue.depth() == QueueDepth(0, 0, 0) for queue in self._queues):
            self._note.parent.mkdir(exist_ok=True)
            partial = self._note.with_suffix(".partial")
            partial.write_text(format_timestamp(now), encoding="utf-8")
            partial.replace(self._note)


def main() -> int:
    """Look after the bus of the stage that this is by now, until asked to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    logs.configure("keeper")
    now = current_stage()
    keeper = build_recovery(now)
    noted = 0.0
    while True:
        if (fresh := current_stage()) != now:
            now = fresh
            keeper = build_recovery(now)
        try:
            if not keeper.is_complete():
                # A program of its own takes along what it needed in memory.
                subprocess.run(PROVISION, check=True)  # noqa: S603
                count = keeper.republish(utc_now)
                _LOG.info("the bus has topic and queues; %d events are published again", count)
            if time.monotonic() > noted + NOTE_SECONDS:
                keeper.record_checkpoint(utc_now())
                noted = time.monotonic()
            healthcheck.record_heartbeat()
        except (Unavailable, BotoCoreError, ClientError, subprocess.CalledProcessError) as error:
            _LOG.warning("the bus has to wait: %s", error)
        time.sleep(LOOK_SECONDS)


def build_recovery(now: CurrentStage) -> BusRecovery:
    """Build the keeper of a stage; opens no connection yet."""
    sqs = sqs_client(1)
    endpoint = f"{boto3.client('sqs').meta.endpoint_url}/000000000000/{PREFIX}"
    services = now.services
    tables = database.Database(database.connect(), PREFIX)
    outboxes: list[Outbox] = [SERVICES[name].outbox(tables, utc_now, uuid7) for name in services]
    outboxes.append(SqlOutbox(Database(DATABASE_URL.read_text(encoding="utf-8")), utc_now))
    queues = [
        Queue(sqs, endpoint + name, f"{endpoint}{name}-dead-letters")
        for name in (stages.MONOLITH, *services)
    ]
    return BusRecovery(sqs, outboxes, queues, NOTES / stages.stage_name(initial_stage()))


if __name__ == "__main__":
    sys.exit(main())
