"""Replay: commands are executed and reported; invalid ones return exit code 2."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.clock import utc_now, uuid7
from chassis.messaging import dynamodb_outbox as outboxes
from chassis.messaging import replay as replaying
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.replay import UsageError, parse_since
from chassis.messaging.sqs_queue import Queue, QueueDepth
from chassis.messaging.subscriptions import Subscription
from tests.support.bus import make_event

OUTBOX = outboxes.outbox_table("notes")
NOTES = Subscription("notes", ("note.created",))
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def database(dynamo):
    return dynamo.database(dynamo.provision((OUTBOX,)))


@pytest.fixture
def outbox(database):
    return DynamoOutbox(database, OUTBOX.name, "notes", utc_now, uuid7, types=("note.created",))


@pytest.fixture
def places(bus):
    return bus.provision([NOTES])["notes"]


@pytest.fixture
def replay(bus, places, outbox, capsys):
    def replay(*arguments, outbox=outbox, clock=utc_now):
        code = replaying.main(outbox, bus.queue(places), arguments, clock=clock)
        output = capsys.readouterr()
        return code, output.out, output.err

    return replay


def test_events_since_a_time_are_published_again(replay, database, outbox):
    database.transact([outbox.record("note.created", f"n{number}", 1, {}) for number in range(3)])
    events = outbox.load_unpublished(10)
    outbox.mark_published(events)
    code, output, wrong = replay("since", "10m")
    assert (code, wrong) == (0, "")
    assert output.startswith("3 events recorded since 20")
    assert output.endswith("will be republished by the worker\n")
    assert {event.id for event in outbox.load_unpublished(10)} == {event.id for event in events}


@pytest.mark.parametrize(("ahead", "count"), [(30, "1 event"), (90, "0 events")])
def test_clocks_may_differ_by_a_minute(replay, database, outbox, ahead, count):
    database.transact([outbox.record("note.created", "n1", 1, {})])
    mine = utc_now() + timedelta(seconds=ahead)
    code, output, _ = replay("since", mine.isoformat(), clock=lambda: mine)
    assert code == 0
    assert output.startswith(f"{count} recorded since ")


def test_replay_warns_that_old_events_are_not_kept(replay):
    code, output, _ = replay("since", "8d")
    assert code == 0
    assert "older than 7 days are not kept" in output


def test_dead_letters_go_back_to_the_queue(bus, places, replay):
    bus.publish(places, make_event(), make_event())
    queue = bus.queue(places)
    for message in queue.receive(0):
        queue.dead_letter(message, "x")
    assert replay("dead-letters") == (0, "2 dead letters returned to the queue\n", "")
    assert queue.depth() == QueueDepth(2, 0, 0)
    assert replay("dead-letters") == (0, "0 dead letters returned to the queue\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("since",),
        ("since", "10m", "20m"),
        ("dead-letters", "all"),
        ("help",),
        ("since", "yesterday"),
        ("since", "10"),
        ("since", "10w"),
        ("since", "-10m"),
        ("since", "999999d"),
        ("since", ""),
        ("since", "2026-01-31T12:00:00"),
        ("since", "2026-02-30T12:00:00Z"),
        ("since", "2999-01-01T00:00:00Z"),
    ],
)
def test_wrong_arguments_print_the_usage(replay, arguments):
    code, output, wrong = replay(*arguments)
    assert (code, output) == (2, "")
    assert wrong.startswith("replay: ")
    assert replaying.USAGE in wrong


@pytest.mark.parametrize(
    ("when", "start"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("10m", NOW - timedelta(minutes=10)),
        ("2h", NOW - timedelta(hours=2)),
        ("1d", NOW - timedelta(days=1)),
        ("2026-01-31T11:00:00Z", NOW - timedelta(hours=1)),
        ("2026-01-31T12:30:00.500+01:00", NOW - timedelta(minutes=29, seconds=59.5)),
        ("2026-01-31T12:00:00Z", NOW),
    ],
)
def test_times_are_parsed_in_common_notations(when, start):
    assert parse_since(when, NOW) == start


def test_time_without_a_zone_is_refused():
    with pytest.raises(UsageError, match="time zone"):
        parse_since("2026-01-31T11:00:00", NOW)


def test_outage_is_reported(dynamo, bus, replay, places, capsys):
    gone = DynamoOutbox(
        dynamo.database("gone-"), OUTBOX.name, "notes", utc_now, uuid7, types=("note.created",)
    )
    code, output, wrong = replay("since", "10m", outbox=gone)
    assert (code, output) == (1, "")
    assert wrong == "replay: The database is temporarily unavailable. Try again later.\n"
    nowhere = Queue(bus.sqs, places.queue_url, f"{places.queue_url}-nowhere")
    assert replaying.main(gone, nowhere, ["dead-letters"]) == 1
    assert "bus" in capsys.readouterr().err
