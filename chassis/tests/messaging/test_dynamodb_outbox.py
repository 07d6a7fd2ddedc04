"""The outbox: events are written with their change, published, and kept for a week."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from chassis.clock import format_timestamp, uuid7
from chassis.dynamodb.database import TransactionCanceled, list_shard
from chassis.dynamodb.tables import Table
from chassis.messaging import dynamodb_outbox as outboxes
from chassis.messaging.dynamodb_outbox import RETENTION, SHARDS, DynamoOutbox, Heartbeat
from chassis.messaging.events import MAX_BYTES
from tests.support.bus import make_event

OUTBOX = outboxes.outbox_table("notes")
NOTES = Table("notes", "id")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Watch:
    """A clock that a test sets, and ids of its time."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now

    def new_id(self):
        milliseconds = f"{int(self.now.timestamp() * 1000):012x}"
        return f"{milliseconds[:8]}-{milliseconds[8:]}{uuid7()[13:]}"


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def prefix(dynamo):
    return dynamo.provision((OUTBOX, NOTES))


@pytest.fixture
def database(dynamo, prefix):
    return dynamo.database(prefix)


@pytest.fixture
def outbox(database, watch):
    return DynamoOutbox(
        database, OUTBOX.name, "notes", watch, watch.new_id, types=("note.created",)
    )


@pytest.fixture
def record(database, outbox) -> Callable[..., None]:
    def record(*subjects: str, text: str = "x") -> None:
        for subject in subjects:
            database.transact([outbox.record("note.created", subject, 1, {"text": text})])

    return record


@pytest.fixture
def fill(dynamo, prefix):
    """Put many events in the outbox quickly."""

    def fill(count: int, text: str = "x") -> list[str]:
        events = [make_event(text=text) for _ in range(count)]
        items = (
            {
                "list_shard": (shard := list_shard(event.id, SHARDS)),
                "id": event.id,
                "event": event.to_json(),
                "recorded_at": format_timestamp(event.time),
                "unpublished": shard,
            }
            for event in events
        )
        dynamo.fill(prefix + OUTBOX.name, items)
        return sorted(event.id for event in events)

    return fill


def ids(events):
    return sorted(event.id for event in events)


def subjects(events):
    return sorted(event.subject for event in events)


def test_event_of_an_undeclared_type_is_refused(outbox):
    with pytest.raises(ValueError, match=r"note\.pinned is not declared"):
        outbox.record("note.pinned", "n", 1, {})


def test_event_is_written_with_its_data(database, outbox, watch):
    action = outbox.record("note.created", "n1", 4, {"text": "é"})
    database.transact([database.put("notes", {"id": "n1"}), action])
    (event,) = outbox.load_unpublished(10)
    assert (event.type, event.source, event.subject) == ("note.created", "/notes", "n1")
    assert (event.version, event.time, event.data) == (4, watch.now, {"text": "é"})


def test_failed_transaction_records_no_event(database, outbox):
    action = outbox.record("note.created", "n1", 1, {})
    with pytest.raises(TransactionCanceled):
        database.transact([database.put("notes", {"id": "n1"}, "attribute_exists(id)"), action])
    assert outbox.load_unpublished(10) == []
    assert outbox.oldest_unpublished_at() is None


def test_oversized_event_is_refused_with_its_write(outbox):
    with pytest.raises(ValueError, match=str(MAX_BYTES)):
        outbox.record("note.created", "n1", 1, {"text": "x" * MAX_BYTES})


def test_older_events_come_first_within_a_shard(outbox, record, watch):
    for number in range(12):
        watch.now += timedelta(milliseconds=1)
        record(f"n{number:02}")
    pending = outbox.load_unpublished(100)
    assert subjects(pending) == [f"n{number:02}" for number in range(12)]
    for shard in map(str, range(SHARDS)):
        mine = [event.subject for event in pending if list_shard(event.id, SHARDS) == shard]
        assert mine == sorted(mine)


def test_load_unpublished_returns_at_most_the_limit_per_shard(outbox, fill):
    fill(100)
    shards = [list_shard(event.id, SHARDS) for event in outbox.load_unpublished(3)]
    assert [shards.count(str(shard)) for shard in range(SHARDS)] == [3] * SHARDS


def test_published_events_are_not_pending_and_expire_in_a_week(outbox, record, database, watch):
    record("n1", "n2")
    first, second = sorted(outbox.load_unpublished(10), key=lambda event: event.subject)
    outbox.mark_published([first])
    assert outbox.load_unpublished(10) == [second]
    item = database.get(OUTBOX.name, {"list_shard": list_shard(first.id, SHARDS), "id": first.id})
    assert item["expires"] == (watch.now + RETENTION).timestamp()
    assert OUTBOX.ttl_attribute == "expires"


def test_deleted_events_are_skipped(database, outbox, record):
    record("n1", "n2", "n3")
    events = sorted(outbox.load_unpublished(10), key=lambda event: event.subject)
    for event in events[::2]:
        key = {"list_shard": list_shard(event.id, SHARDS), "id": event.id}
        database.transact([database.delete(OUTBOX.name, key)])
    outbox.mark_published(events)
    assert outbox.load_unpublished(10) == []
    assert outbox.republish_since(NOW - timedelta(hours=1)) == 1
    assert outbox.load_unpublished(10) == [events[1]]
    outbox.mark_published([])


def test_many_events_are_marked_in_few_calls(outbox, fill, dynamo):
    fill(200)
    with dynamo.counted() as calls:
        outbox.mark_published(outbox.load_unpublished(100))
    assert calls == {"Query": SHARDS, "TransactWriteItems": 2}
    assert outbox.load_unpublished(100) == []


def test_long_events_are_marked_in_batches_below_the_limit(outbox, fill, dynamo):
    # DynamoDB refuses a transaction on items of more than 4 MB.
    fill(35, text="x" * 200_000)
    with dynamo.counted() as calls:
        outbox.mark_published(outbox.load_unpublished(100))
    assert calls["TransactWriteItems"] == 3
    assert outbox.load_unpublished(100) == []


def test_events_marked_by_several_workers_at_once_are_marked(outbox, fill):
    fill(60)
    events = outbox.load_unpublished(100)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: outbox.mark_published(events), range(4)))
    assert outbox.load_unpublished(100) == []


def test_events_since_a_time_are_published_again(outbox, record, watch, database):
    for number in range(6):
        watch.now = NOW + timedelta(seconds=number)
        record(f"n{number}")
    outbox.mark_published(outbox.load_unpublished(100))
    assert outbox.republish_since(NOW + timedelta(seconds=3)) == 3
    again = outbox.load_unpublished(100)
    assert subjects(again) == ["n3", "n4", "n5"]
    # Nothing expires before it was published.
    keys = [{"list_shard": list_shard(event.id, SHARDS), "id": event.id} for event in again]
    assert all("expires" not in database.get(OUTBOX.name, key) for key in keys)
    assert outbox.republish_since(NOW + timedelta(seconds=60)) == 0
    assert outbox.republish_since(datetime(1960, 1, 1, tzinfo=UTC)) == 6


def test_many_events_are_published_again(outbox, fill):
    filled = fill(450)
    while events := outbox.load_unpublished(100):
        outbox.mark_published(events)
    assert outbox.republish_since(datetime.now(UTC) - timedelta(minutes=1)) == 450
    found = set()
    while events := outbox.load_unpublished(100):
        found |= set(ids(events))
        outbox.mark_published(events)
    assert sorted(found) == filled


def test_oldest_unpublished_time_is_reported(outbox, record, watch):
    for seconds in (5, 9, 7, *range(20, 32)):
        watch.now = NOW + timedelta(seconds=seconds)
        record(f"n{seconds}")
    assert outbox.oldest_unpublished_at() == NOW + timedelta(seconds=5)
    outbox.mark_published([event for event in outbox.load_unpublished(50) if event.subject == "n5"])
    assert outbox.oldest_unpublished_at() == NOW + timedelta(seconds=7)


def test_heartbeat_is_not_an_event(outbox, record):
    assert outbox.last_heartbeat() is None
    for beat in (Heartbeat(NOW, 0.25), Heartbeat(NOW - timedelta(seconds=5), 1.5)):
        outbox.record_heartbeat(beat)  # also by a clock that was put back
        assert outbox.last_heartbeat() == beat
    record("n1")
    assert len(outbox.load_unpublished(10)) == 1
    assert outbox.republish_since(NOW - timedelta(days=1)) == 1
