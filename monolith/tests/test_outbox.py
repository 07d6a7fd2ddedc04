"""The outbox: unpublished events, retention and replays."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from chassis.clock import uuid7
from chassis.messaging.dynamodb_outbox import RETENTION, Heartbeat
from forum import outbox as outboxes
from forum.domains import DOMAIN_OF_EVENT_TYPE, NAMES
from forum.outbox import OutboxRow, SqlOutbox
from forum.ownership.recorder import OutboxRecorder
from forum.ownership.state import OwnershipRegistry

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Now:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def outbox(database, now):
    return SqlOutbox(database, now)


@pytest.fixture
def record(database, now):
    telling = OwnershipRegistry(database, NAMES, frozenset({"posts"}), live_extraction=False)
    recorder = OutboxRecorder("monolith", DOMAIN_OF_EVENT_TYPE, telling, now, uuid7)

    def record(count=1):
        with database.writing() as session:
            for number in range(count):
                recorder.record(session, "thread.updated", "t", number + 1, {"title": "ü"})

    return record


def test_recorded_events_wait_oldest_first_until_published(outbox, record):
    assert outbox.oldest_unpublished_at() is None
    record(3)
    events = outbox.load_unpublished(10)
    assert [event.version for event in events] == [1, 2, 3]
    assert {event.source for event in events} == {"/monolith"}
    assert events[0].data == {"title": "ü"}
    assert outbox.load_unpublished(2) == events[:2]
    outbox.mark_published(events[:2])
    assert outbox.load_unpublished(10) == events[2:]
    outbox.mark_published(events)
    assert outbox.load_unpublished(10) == []
    assert outbox.oldest_unpublished_at() is None


def test_rolled_back_transaction_records_no_event(outbox, database, now):
    telling = OwnershipRegistry(database, NAMES, frozenset({"posts"}), live_extraction=False)
    recorder = OutboxRecorder("monolith", DOMAIN_OF_EVENT_TYPE, telling, now, uuid7)
    with suppress(RuntimeError), database.writing() as session:
        recorder.record(session, "thread.updated", "t", 1, {})
        raise RuntimeError
    assert outbox.load_unpublished(10) == []


def test_event_of_an_undeclared_type_is_refused(database, now):
    registry = OwnershipRegistry(database, NAMES, frozenset({"posts"}), live_extraction=False)
    recorder = OutboxRecorder("monolith", DOMAIN_OF_EVENT_TYPE, registry, now, uuid7)
    with pytest.raises(ValueError, match=r"thread\.pinned"), database.writing() as session:
        recorder.record(session, "thread.pinned", "t", 1, {})


def test_age_of_the_oldest_event_starts_when_it_was_recorded(outbox, record, now):
    record()
    now.now += timedelta(minutes=1)
    record()
    assert outbox.oldest_unpublished_at() == START


def test_published_events_are_deleted_after_their_retention(
    outbox, record, database, now, monkeypatch
):
    def kept():
        with database.reading() as session:
            return session.scalar(select(func.count()).select_from(OutboxRow))

    monkeypatch.setattr(outboxes, "PURGE_BATCH", 2)
    record(3)
    outbox.mark_published(outbox.load_unpublished(10))
    record()
    [waiting] = outbox.load_unpublished(10)
    now.now += RETENTION
    outbox.mark_published([])
    assert kept() == 4, "not a moment too early"
    now.now += timedelta(seconds=1)
    outbox.mark_published([])
    assert kept() == 2, "some at a time"
    outbox.mark_published([])
    assert kept() == 1
    assert outbox.load_unpublished(10) == [waiting], "what waits is kept however old it is"


def test_events_recorded_since_a_time_are_published_again(outbox, record, now, monkeypatch):
    monkeypatch.setattr(outboxes, "REPUBLISH_BATCH", 2)
    record()
    now.now += timedelta(minutes=1)
    record(5)
    events = outbox.load_unpublished(10)
    outbox.mark_published(events)
    assert outbox.republish_since(START + timedelta(seconds=1)) == 5
    assert outbox.load_unpublished(10) == events[1:]
    outbox.mark_published(events)
    assert outbox.republish_since(START) == 6
    assert outbox.republish_since(now.now + timedelta(seconds=1)) == 0


def test_relays_marking_the_same_events_do_not_block_each_other(outbox, record, database):
    record(3)
    events = outbox.load_unpublished(10)
    with database.reading() as other:
        # Another relay is about to mark the first one.
        other.scalars(select(OutboxRow).where(OutboxRow.id == events[0].id).with_for_update()).one()
        outbox.mark_published(events)
    left = outbox.load_unpublished(10)
    assert left in ([], events[:1])
    outbox.mark_published(left)
    assert outbox.load_unpublished(10) == []


def test_relays_deleting_the_same_events_do_not_block_each_other(outbox, record, database, now):
    record(3)
    expired = outbox.load_unpublished(10)
    outbox.mark_published(expired)
    now.now += RETENTION + timedelta(seconds=1)
    with database.reading() as other:
        # Another relay is about to delete the first one.
        other.scalars(
            select(OutboxRow).where(OutboxRow.id == expired[0].id).with_for_update()
        ).one()
        outbox.mark_published([])
    with database.reading() as session:
        assert session.scalars(select(OutboxRow.id)).all() in ([], [expired[0].id])


def test_latest_heartbeat_is_kept(outbox):
    assert outbox.last_heartbeat() is None
    for number in range(2):
        outbox.record_heartbeat(Heartbeat(START + timedelta(seconds=number), 0.25))
    assert outbox.last_heartbeat() == Heartbeat(START + timedelta(seconds=1), 0.25)
