"""Posts and threads of components whose clocks differ by hours."""

from datetime import timedelta

import pytest

from chassis.clock import format_timestamp, parse_timestamp, utc_now, uuid7
from tests.support.event_factory import post_event
from threads.dynamodb.records import ThreadRecords
from threads.event_handlers import EventHandlers

HOURS = timedelta(hours=3)


@pytest.fixture
def thread(client, ada):
    made = client.post("/api/threads", json={"title": "One"}, headers=ada.headers)
    return made.json["id"]


@pytest.fixture
def activity(client, thread):
    def activity():
        return parse_timestamp(client.get(f"/api/threads/{thread}").json["last_activity_at"])

    return activity


@pytest.fixture
def tell_at(database, outbox):
    def tell(now, event):
        EventHandlers(database, outbox, clock=lambda: now).handlers()[event.type](event)

    return tell


@pytest.mark.parametrize(
    ("ahead", "taken"),
    [(timedelta(seconds=90), timedelta(seconds=90)), (HOURS, timedelta(0))],
)
def test_post_of_a_clock_that_is_ahead_counts_as_present(thread, activity, tell_at, ahead, taken):
    now = utc_now() + timedelta(minutes=1)
    tell_at(now, post_event(thread, created_at=now + ahead))
    assert activity() == now + taken


def test_post_of_a_clock_that_is_behind_keeps_the_activity(thread, activity, tell_at):
    before = activity()
    tell_at(utc_now(), post_event(thread, created_at=before - HOURS))
    assert activity() == before


def test_later_delivery_or_version_does_not_move_the_activity(thread, activity, tell_at):
    now = utc_now() + timedelta(minutes=1)
    post, created_at = uuid7(), now + HOURS
    for version, kind, minutes in ((1, "created", 0), (1, "created", 1), (2, "updated", 2)):
        event = post_event(
            thread, f"post.{kind}", post_id=post, version=version, created_at=created_at
        )
        tell_at(now + timedelta(minutes=minutes), event)
        assert activity() == now


def test_moved_thread_of_a_clock_that_is_ahead_keeps_its_time_and_is_active_now(database):
    now, thread = utc_now(), uuid7()
    record = {
        **{"id": thread, "version": 1, "deleted": False, "title": "One", "author_id": uuid7()},
        **{"created_at": format_timestamp(now + HOURS), "locked": False},
    }
    records = ThreadRecords(database, lambda: now)
    records.write([record])
    assert records.read_many([thread]) == {thread: record}
    stored = database.get("threads", {"id": thread})
    assert stored["last_activity_at"] == format_timestamp(now)
