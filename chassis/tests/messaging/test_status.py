"""`/eventz`: the status of events; unavailable values are null."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from chassis.clock import uuid7
from chassis.http import app as web
from chassis.messaging import dynamodb_outbox as outboxes
from chassis.messaging import status
from chassis.messaging.dynamodb_outbox import DynamoOutbox, Heartbeat
from chassis.messaging.subscriptions import Subscription
from tests.support.bus import make_event
from tests.support.people import SECRET_KEY

OUTBOX = outboxes.outbox_table("notes")
NOTES = Subscription("notes", ("note.created",))
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Watch:
    """A clock that a test sets."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def database(dynamo):
    return dynamo.database(dynamo.provision((OUTBOX,)))


@pytest.fixture
def outbox(database, watch):
    return DynamoOutbox(database, OUTBOX.name, "notes", watch, uuid7, types=("note.created",))


@pytest.fixture
def places(bus):
    return bus.provision([NOTES])["notes"]


def event_status(outbox, queue, watch):
    app: Flask = web.create_app("notes", "r7", {}, secret=SECRET_KEY)
    status.add_status_endpoint(app, outbox, queue, watch)
    answer = app.test_client().get(status.PATH)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json.keys() == status.KEYS
    return answer.json


def test_status_without_events_is_all_zero(bus, places, outbox, watch):
    assert event_status(outbox, bus.queue(places), watch) == {
        "outbox_age_seconds": 0,
        "heartbeat_age_seconds": None,
        "event_lag_seconds": None,
        "queue_depth": 0,
        "in_flight": 0,
        "dead_letters": 0,
    }


def test_client_of_the_gateway_finds_no_status(bus, places, outbox, watch):
    app: Flask = web.create_app("notes", "r7", {}, secret=SECRET_KEY)
    status.add_status_endpoint(app, outbox, bus.queue(places), watch)
    answers = [
        app.test_client().get(path, headers={"X-Forwarded-Port": "443"})
        for path in (status.PATH, "/nothing")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json["detail"] == answers[1].json["detail"]


def test_ages_and_counts_are_reported(bus, places, database, outbox, watch):
    database.transact([outbox.record("note.created", "n1", 1, {})])
    outbox.record_heartbeat(Heartbeat(NOW + timedelta(seconds=3), 0.75))
    queue = bus.queue(places)
    bus.publish(places, *(make_event() for _ in range(4)))
    queue.dead_letter(queue.receive(0, most=1)[0], "x")
    queue.receive(0, most=2)
    watch.now += timedelta(seconds=5)
    assert event_status(outbox, queue, watch) == {
        "outbox_age_seconds": 5,
        "heartbeat_age_seconds": 2,
        "event_lag_seconds": 0.75,
        "queue_depth": 1,
        "in_flight": 2,
        "dead_letters": 1,
    }


@pytest.mark.parametrize("back", [0, 60])
def test_waiting_event_has_a_positive_age(database, outbox, watch, back):
    database.transact([outbox.record("note.created", "n1", 1, {})])
    watch.now -= timedelta(seconds=back)
    assert event_status(outbox, None, watch)["outbox_age_seconds"] == 0.001


def test_unreadable_values_are_null(dynamo, bus, places, watch, outbox):
    gone = DynamoOutbox(
        dynamo.database("gone-"), OUTBOX.name, "notes", watch, uuid7, types=("note.created",)
    )
    reported = event_status(gone, bus.queue(places), watch)
    assert (
        reported["outbox_age_seconds"]
        is reported["heartbeat_age_seconds"]
        is reported["event_lag_seconds"]
        is None
    )
    assert reported["queue_depth"] == 0
    bus.sqs.delete_queue(QueueUrl=places.queue_url)
    reported = event_status(outbox, bus.queue(places), watch)
    assert reported["queue_depth"] is reported["in_flight"] is reported["dead_letters"] is None
    assert reported["outbox_age_seconds"] == 0


def test_component_without_a_queue_has_no_queue_numbers(outbox, watch):
    reported = event_status(outbox, None, watch)
    assert reported["queue_depth"] is reported["in_flight"] is reported["dead_letters"] is None
