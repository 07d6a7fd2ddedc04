"""The worker as a real process: it runs until a signal, and finishes started work."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from chassis.clock import format_timestamp, utc_now, uuid7
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.sqs_queue import QueueDepth
from chassis.messaging.subscriptions import BusEndpoints, Subscription
from infra.runner.free_port import free_port
from tests.support.bus import make_event
from tests.support.waits import wait_until
from tests.support.worker_process import APPLIED, OUTBOX, SLOW_SECONDS, TABLES

NOTES = Subscription("notes", ("note.created", "note.slow", "note.deadly"))
WAIT_SECONDS = 1
# Usually less than one; an overloaded machine is no fault of the worker.
MARGIN_SECONDS = 8.0


@pytest.fixture
def prefix(dynamo):
    return dynamo.provision(TABLES)


@pytest.fixture
def database(dynamo, prefix):
    return dynamo.database(prefix)


@pytest.fixture
def outbox(database):
    return DynamoOutbox(database, OUTBOX.name, "notes", utc_now, uuid7, types=("note.created",))


@pytest.fixture
def places(bus):
    return bus.provision([NOTES])["notes"]


@pytest.fixture
def queue(bus, places):
    return bus.queue(places)


class Worker:
    """A process and its output."""

    def __init__(self, prefix: str, places: BusEndpoints, log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.worker_process", prefix],
                env=os.environ
                | {
                    "EVENTS_TOPIC_ARN": places.topic_arn,
                    "EVENTS_QUEUE_URL": places.queue_url,
                    "EVENTS_DEAD_LETTER_QUEUE_URL": places.dead_letter_queue_url,
                    "EVENTS_WAIT_SECONDS": str(WAIT_SECONDS),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until(
            lambda: (
                "the worker has started" in self.output_text() or self.process.poll() is not None
            )
        )

    def output_text(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def stop(
        self, number: int = signal.SIGTERM, within: float = WAIT_SECONDS + MARGIN_SECONDS
    ) -> int:
        self.process.send_signal(number)
        return self.process.wait(within)


@pytest.fixture
def start(prefix, places, tmp_path) -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def start() -> Worker:
        workers.append(Worker(prefix, places, tmp_path / f"log-{len(workers)}"))
        return workers[-1]

    yield start
    for worker in workers:
        worker.process.kill()
        worker.process.wait()


@pytest.fixture
def worker(start) -> Worker:
    return start()


@pytest.fixture
def applied(database):
    def applied(event_id: str) -> bool:
        return database.get(APPLIED.name, {"id": event_id}) is not None

    return applied


def test_worker_publishes_applies_and_records_heartbeats(worker, database, outbox, queue, applied):
    action = outbox.record("note.created", "n1", 1, {})
    database.transact([action])
    wait_until(lambda: applied(action.request["Put"]["Item"]["id"]["S"]))
    wait_until(lambda: queue.depth() == QueueDepth(0, 0, 0))
    wait_until(lambda: outbox.oldest_unpublished_at() is None)
    beat = wait_until(outbox.last_heartbeat)
    assert utc_now() - beat.at < timedelta(seconds=5)
    later = wait_until(lambda: (found := outbox.last_heartbeat()) and found.at > beat.at and found)
    assert 0 < later.lag_seconds < 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_worker_stops_on_a_signal(worker, number):
    assert worker.stop(number) == 0
    lines = [json.loads(line) for line in worker.output_text().splitlines()]
    assert lines[-1]["message"] == "the worker has stopped"
    assert {line["level"] for line in lines} == {"INFO"}


def test_stopped_worker_finishes_the_event_in_progress(bus, places, worker, queue, applied):
    slow = make_event("note.slow")
    bus.publish(places, slow)
    wait_until(lambda: applied(f"began {slow.subject}"))
    assert worker.stop(within=SLOW_SECONDS + MARGIN_SECONDS) == 0
    assert applied(slow.id)
    assert queue.depth() == QueueDepth(0, 0, 0)


def test_event_of_a_killed_worker_is_redelivered(bus, places, start, applied):
    bus.sqs.set_queue_attributes(QueueUrl=places.queue_url, Attributes={"VisibilityTimeout": "1"})
    worker = start()
    slow = make_event("note.slow")
    bus.publish(places, slow)
    wait_until(lambda: applied(f"began {slow.subject}"))
    worker.process.kill()
    worker.process.wait()
    assert not applied(slow.id)
    start()
    wait_until(lambda: applied(slow.id))


def test_crashed_consumer_ends_the_process_after_its_events(bus, places, worker, applied, queue):
    slow, deadly = make_event("note.slow"), make_event("note.deadly")
    bus.publish(places, slow)
    wait_until(lambda: applied(f"began {slow.subject}"))
    bus.publish(places, deadly)
    assert worker.process.wait(SLOW_SECONDS + MARGIN_SECONDS) == 1
    assert "the consumer died" in worker.output_text()
    assert "was too much" in worker.output_text()
    assert applied(slow.id)
    # Both come again: what the consumer died of, and what it could not acknowledge any more.
    assert queue.depth() == QueueDepth(0, 2, 0)


def test_relay_that_dies_ends_the_process(worker, dynamo, prefix):
    # Only its event is nonsense: the report of how long it waits may come first.
    item = {
        "list_shard": "0",
        "id": uuid7(),
        "unpublished": "0",
        "recorded_at": format_timestamp(utc_now()),
    }
    dynamo.fill(prefix + OUTBOX.name, [item | {"event": "nonsense"}])
    assert worker.process.wait(WAIT_SECONDS + MARGIN_SECONDS) == 1
    assert "the relay died" in worker.output_text()


def test_outage_of_the_outbox_does_not_end_the_worker(
    worker, dynamo, prefix, database, outbox, bus, places
):
    dynamo.client.delete_table(TableName=prefix + OUTBOX.name)
    wait_until(lambda: "could not record the worker heartbeat" in worker.output_text())
    assert worker.process.poll() is None
    assert worker.stop() == 0


def test_worker_whose_database_is_down_still_shows_that_it_lives(start, tmp_path, monkeypatch):
    file = tmp_path / "heartbeat"
    monkeypatch.setenv("HEARTBEAT_FILE", str(file))
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
    worker = start()
    wait_until(lambda: "could not record the worker heartbeat" in worker.output_text())
    before = file.stat().st_mtime_ns
    wait_until(lambda: file.stat().st_mtime_ns > before)
    assert worker.stop() == 0
