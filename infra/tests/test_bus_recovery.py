"""Recovery of a bus that keeps its messages in memory."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.clock import format_timestamp
from chassis.dynamodb.tables import create_tables
from chassis.messaging.outbox import RETENTION
from chassis.messaging.replay import MARGIN
from chassis.messaging.subscriptions import BusEndpoints, Subscription
from forum.commands.migrate import upgrade
from infra import provisioning
from infra.bus_recovery import CHECK_SECONDS, COMPLETE, BusRecovery
from infra.current_stage import CurrentStage
from infra.domains import SERVICES
from infra.ministack import PREFIX, TOPIC_ARN
from tests.support.bus import Bus, make_event
from tests.support.dynamo import Dynamo
from tests.support.waits import wait_until

# The process of a stage, which checks more often and makes its passes sooner.
PROCESS = """
import os, pathlib
from infra import bus_recovery, provisioning
bus_recovery.CHECK_SECONDS, bus_recovery.PAUSE_SECONDS = 0.05, 0.5
file = pathlib.Path(os.environ["CHECKPOINT_FILE"])
bus_recovery.run(provisioning.current_stage, os.environ["DATABASE_URL"], file)
"""
# The move records its stage after the process has read the former one.
PROCESS_DURING_A_MOVE = """
import os, pathlib, sys
from infra import bus_recovery
from infra.current_stage import CurrentStage
before, after = CurrentStage(frozenset({"users"})), CurrentStage(frozenset())
read = [before, after, after]
bus_recovery.time.sleep = lambda _: None if read else sys.exit()
file = pathlib.Path(os.environ["CHECKPOINT_FILE"])
bus_recovery.run(lambda: read.pop(0), os.environ["DATABASE_URL"], file)
"""
SUBSCRIPTIONS = [Subscription(name, ("note.created",)) for name in ("users", "monolith")]
PATIENCE = 60.0
"""Seconds that a busy machine may need to start the process, and for what it does then."""
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Outbox:
    """An outbox that only records the start time of replays."""

    def __init__(self) -> None:
        self.waiting: datetime | None = None
        self.replayed: list[datetime] = []

    def oldest_unpublished_at(self) -> datetime | None:
        return self.waiting

    def republish_since(self, since: datetime) -> int:
        self.replayed.append(since)
        return 3


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def clean_bus(bus: Bus) -> Iterator[Bus]:
    """Provide a bus without topic and queues of the forum, also for the tests after this one."""
    yield bus
    for url in bus.sqs.list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", []):
        bus.sqs.delete_queue(QueueUrl=url)
    bus.sns.delete_topic(TopicArn=TOPIC_ARN)


@pytest.fixture
def places(clean_bus: Bus) -> BusEndpoints:
    """Provide the queues of a service at a stage with only that one."""
    return clean_bus.provision(SUBSCRIPTIONS, PREFIX)["users"]


def recovery_of(bus: Bus, outbox: Outbox, places: BusEndpoints, checkpoint: Path) -> BusRecovery:
    return BusRecovery(
        bus.sns,
        bus.sqs,
        subscriptions=SUBSCRIPTIONS,
        outboxes=[outbox],  # type: ignore[list-item]
        queues=[bus.queue(places)],
        checkpoint=checkpoint,
    )


def queue_names(bus: Bus) -> set[str]:
    urls = bus.sqs.list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", [])
    return {url.rpartition("/")[2] for url in urls}


def test_events_possibly_lost_with_the_bus_are_published_again(
    bus: Bus, outbox: Outbox, places: BusEndpoints, tmp_path: Path
) -> None:
    recovery = recovery_of(bus, outbox, places, tmp_path / "bus-recovery" / "note")
    assert not recovery.is_complete()
    assert recovery.republish(lambda: NOW) == 3
    assert recovery.is_complete()
    # Nothing is known yet of when all had arrived.
    assert outbox.replayed == [NOW - RETENTION - MARGIN]


@pytest.mark.parametrize(
    "lost",
    [
        "topic",
        "subscription",
        "forum-users",
        "forum-monolith",
        "forum-users-dead-letters",
        COMPLETE,
    ],
)
def test_bus_is_incomplete_without_any_part_of_it(
    bus: Bus, outbox: Outbox, places: BusEndpoints, tmp_path: Path, lost: str
) -> None:
    recovery = recovery_of(bus, outbox, places, tmp_path / "checkpoint")
    recovery.republish(lambda: NOW)
    assert recovery.is_complete()
    if lost == "topic":
        bus.sns.delete_topic(TopicArn=TOPIC_ARN)
    elif lost == "subscription":
        found = bus.sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
        bus.sns.unsubscribe(SubscriptionArn=found[0]["SubscriptionArn"])
    else:
        bus.sqs.delete_queue(QueueUrl=bus.sqs.get_queue_url(QueueName=lost)["QueueUrl"])
    assert not recovery.is_complete()
    recovery.mark_incomplete()
    bus.provision(SUBSCRIPTIONS, PREFIX)
    assert not recovery.is_complete(), "no event was published again yet"
    recovery.republish(lambda: NOW)
    assert recovery.is_complete()


def test_bus_is_checked_in_two_calls(
    bus: Bus, outbox: Outbox, places: BusEndpoints, tmp_path: Path
) -> None:
    recovery = recovery_of(bus, outbox, places, tmp_path / "checkpoint")
    recovery.republish(lambda: NOW)
    calls: list[str] = []

    def count(model: Any, **_: object) -> None:
        calls.append(model.name)

    for client in (bus.sns, bus.sqs):
        client.meta.events.register("before-call", count)
    assert recovery.is_complete()
    for client in (bus.sns, bus.sqs):
        client.meta.events.unregister("before-call", count)
    assert sorted(calls) == ["ListQueues", "ListSubscriptionsByTopic"]


@pytest.mark.parametrize("text", ["", "soon"])
def test_damaged_checkpoint_counts_as_none(
    bus: Bus, outbox: Outbox, places: BusEndpoints, tmp_path: Path, text: str
) -> None:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_text(text)
    recovery_of(bus, outbox, places, checkpoint).republish(lambda: NOW)
    assert outbox.replayed == [NOW - RETENTION - MARGIN]


def test_recovery_starts_at_the_last_idle_checkpoint(
    bus: Bus, outbox: Outbox, places: BusEndpoints, tmp_path: Path
) -> None:
    note, queue = tmp_path / "note", places.queue_url
    recovery = recovery_of(bus, outbox, places, note)
    recovery.record_checkpoint(NOW)
    assert note.read_text() == format_timestamp(NOW)
    outbox.waiting = NOW
    recovery.record_checkpoint(NOW + timedelta(hours=1))
    outbox.waiting = None
    bus.sqs.send_message(QueueUrl=queue, MessageBody=make_event().to_json())
    recovery.record_checkpoint(NOW + timedelta(hours=2))
    taken = bus.sqs.receive_message(QueueUrl=queue)["Messages"]
    recovery.record_checkpoint(NOW + timedelta(hours=3))
    assert note.read_text() == format_timestamp(NOW), "something waited, or was in somebody's hands"
    recovery.republish(lambda: NOW + timedelta(hours=4))
    assert outbox.replayed == [NOW - MARGIN]
    bus.sqs.delete_message(QueueUrl=queue, ReceiptHandle=taken[0]["ReceiptHandle"])
    recovery.record_checkpoint(NOW + timedelta(hours=5))
    assert note.read_text() == format_timestamp(NOW + timedelta(hours=5))


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Create the monolith's database."""
    url = f"sqlite:///{tmp_path}/forum.sqlite"
    upgrade(url)
    return url


def test_subscription_that_a_move_just_dropped_stays_dropped(
    clean_bus: Bus, dynamo: Dynamo, database_url: str, tmp_path: Path
) -> None:
    wanted = provisioning.bus_subscriptions(CurrentStage(frozenset()))
    clean_bus.provision(wanted, PREFIX)
    clean_bus.sqs.create_queue(QueueName=COMPLETE)
    environment = {"DATABASE_URL": database_url, "CHECKPOINT_FILE": str(tmp_path / "checkpoint")}
    subprocess.run(
        [sys.executable, "-c", PROCESS_DURING_A_MOVE],
        env=os.environ | environment,
        timeout=PATIENCE,
        check=True,
    )
    assert queue_names(clean_bus) == {"forum-monolith", "forum-monolith-dead-letters", COMPLETE}


@pytest.fixture
def process(clean_bus: Bus, dynamo: Dynamo, database_url: str, tmp_path: Path) -> Iterator[Path]:
    """Run the process of a stage with the users service; provide its log."""
    log = tmp_path / "log"
    environment = os.environ | {
        "SERVICES": "users",
        "STAGE_FILE": str(tmp_path / "stage.json"),
        "DATABASE_URL": database_url,
        "CHECKPOINT_FILE": str(tmp_path / "checkpoint"),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS], env=environment, stdout=output, stderr=output
        )
    yield log
    process.terminate()
    assert process.wait(PATIENCE) == 0
    for table in SERVICES["users"].tables:
        dynamo.client.delete_table(TableName=PREFIX + table.name)


def test_process_deletes_expired_items_of_all_tables_repeatedly(
    process: Path, dynamo: Dynamo
) -> None:
    wait_until(lambda: "deletion of expired items is waiting" in process.read_text(), PATIENCE)
    create_tables(dynamo.client, PREFIX, SERVICES["users"].tables)
    database = dynamo.database(PREFIX)
    attributes = {
        table: table.ttl_attribute for table in SERVICES["users"].tables if table.ttl_attribute
    }
    now = int(time.time())

    def left() -> set[str]:
        return {
            item[table.partition]
            for table in attributes
            for item in database.scan(table.name, None)[0]
        }

    for _ in range(2):
        for table, attribute in attributes.items():
            names = [table.partition, *([table.sort] if table.sort else [])]
            items = [
                dict.fromkeys(names, key) | {attribute: now + seconds}
                for key, seconds in (("live", 3600), ("expired", -1))
            ]
            dynamo.fill(PREFIX + table.name, items)
        wait_until(lambda: left() == {"live"}, PATIENCE)


def test_process_logs_a_failure_once_and_its_end(process: Path, dynamo: Dynamo) -> None:
    failure = "deletion of expired items is waiting"
    wait_until(lambda: failure in process.read_text(), PATIENCE)
    time.sleep(3 * CHECK_SECONDS)
    assert process.read_text().count(failure) == 1
    create_tables(dynamo.client, PREFIX, SERVICES["users"].tables)
    wait_until(lambda: "deletion of expired items goes on" in process.read_text(), PATIENCE)


def test_process_repairs_a_bus_that_lost_only_its_topic(
    process: Path, clean_bus: Bus, dynamo: Dynamo
) -> None:
    create_tables(dynamo.client, PREFIX, SERVICES["users"].tables)
    wait_until(lambda: process.read_text().count("bus recovered") == 1, PATIENCE)
    clean_bus.sns.delete_topic(TopicArn=TOPIC_ARN)
    wait_until(lambda: process.read_text().count("bus recovered") == 2, PATIENCE)
    found = clean_bus.sns.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
    assert sorted(one["Endpoint"].rpartition(":")[2] for one in found) == [
        "forum-monolith",
        "forum-users",
    ]
