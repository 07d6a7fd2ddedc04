"""The relay: every event is published at least once, whatever fails and however many relays run."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event as Flag
from threading import Thread

import pytest

from chassis.clock import utc_now, uuid7
from chassis.errors import Unavailable
from chassis.messaging import dynamodb_outbox as outboxes
from chassis.messaging import relay as relays
from chassis.messaging.bus import Topic
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.relay import Relay
from chassis.messaging.subscriptions import Subscription
from tests.support.bus import Bus, MiniStack
from tests.support.waits import until

OUTBOX = outboxes.table("notes")
NOTES = Subscription("notes", ("note.created",))


@pytest.fixture
def database(dynamo):
    return dynamo.database(dynamo.provision((OUTBOX,)))


@pytest.fixture
def outbox(database):
    return DynamoOutbox(database, OUTBOX.name, "notes", utc_now, uuid7)


@pytest.fixture
def places(bus):
    return bus.provision([NOTES])["notes"]


@pytest.fixture
def relay(bus, places, outbox):
    return Relay(outbox, bus.topic(places))


@pytest.fixture
def record(database, outbox):
    def record(*texts: str) -> list[str]:
        for start in range(0, len(texts), 100):
            database.transact(
                [
                    outbox.record("note.created", uuid7(), 1, {"text": text})
                    for text in texts[start : start + 100]
                ]
            )
        return sorted(texts)

    return record


@contextmanager
def running(relay):
    """Run a relay in a thread, and see it stop in time."""
    stop = Flag()
    with ThreadPoolExecutor(1) as pool:
        ran = pool.submit(relay.run, stop)
        try:
            yield
        finally:
            stop.set()
        ran.result(3)


def texts(events):
    return sorted(event.data["text"] for event in events)


def test_events_are_published_and_marked(bus, places, outbox, relay, record):
    recorded = record("a", "b")
    assert relay.once() == 2
    assert texts(bus.held(places)) == recorded
    assert outbox.pending(10) == []
    assert relay.once() == 0
    assert bus.held(places) == []


def test_an_empty_outbox_costs_no_call_of_the_topic(outbox):
    assert Relay(outbox, Topic(None, "")).once() == 0


def test_a_backlog_is_worked_off_without_a_pause(bus, places, relay, record, monkeypatch):
    monkeypatch.setattr(relays, "_QUICK", 30.0)
    monkeypatch.setattr(relays, "BATCH", 5)
    recorded = record(*(f"{number:03}" for number in range(60)))
    found = []
    with ThreadPoolExecutor(1) as pool:
        stop = Flag()
        pool.submit(relay.run, stop)
        until(lambda: found.extend(bus.held(places)) or len(found) >= 55)
        stop.set()
    assert set(texts(found)) <= set(recorded)


def test_what_was_not_taken_waits_and_holds_up_nothing(bus, places, outbox, record):
    class Picky(Topic):
        """A topic that does not take everything."""

        def publish(self, events):
            return super().publish([event for event in events if event.data["text"] != "b"])

    record("a", "b", "c")
    relay = Relay(outbox, Picky(bus.sns, places.topic_arn))
    assert relay.once() == 2
    assert texts(outbox.pending(10)) == ["b"]
    record("d")
    assert relay.once() == 1
    assert Relay(outbox, bus.topic(places)).once() == 1
    assert texts(bus.held(places)) == ["a", "b", "c", "d"]


def test_a_relay_that_dies_before_it_marks_publishes_again(bus, places, outbox, relay, record):
    record("a")
    bus.topic(places).publish(outbox.pending(10))
    assert relay.once() == 1
    assert texts(bus.held(places)) == ["a", "a"]


def test_relays_at_the_same_outbox_lose_nothing(bus, places, outbox, record):
    relay_number = 3
    found = []
    with ThreadPoolExecutor(relay_number + 1) as pool:
        stop = Flag()
        ran = [pool.submit(Relay(outbox, bus.topic(places)).run, stop) for _ in range(relay_number)]
        recorded = []
        for start in range(0, 300, 20):
            recorded += record(*(f"{number:03}" for number in range(start, start + 20)))
        until(lambda: not outbox.pending(1) or any(one.done() for one in ran))
        stop.set()
        for one in ran:
            one.result(5)
    found = bus.held(places)
    assert sorted(set(texts(found))) == recorded
    assert outbox.oldest() is None


def test_events_wait_while_the_bus_is_down_and_catch_up(outbox, record, monkeypatch, logged):
    monkeypatch.setattr(relays, "_LONGEST_PAUSE", 0.1)
    with MiniStack() as ministack:
        for name, value in ministack.environment.items():
            monkeypatch.setenv(name, value)
        mine = Bus(ministack)
        places = mine.provision([NOTES], prefix="down-")["notes"]
        with running(Relay(outbox, mine.topic(places))):
            recorded = record("a")
            assert texts(until(lambda: mine.held(places))) == recorded
            ministack.kill()
            recorded = record("b", "c")
            until(lambda: logged()[0])
            ministack.start()
            assert texts(outbox.pending(10)) == recorded, "the topic is missing"
            mine.provision([NOTES], prefix="down-")
            # Some may have been published after there was a topic, before there was a subscription.
            outbox.again(utc_now() - timedelta(minutes=1))
            recorded = sorted(["a", *recorded])
            found = []
            until(lambda: found.extend(mine.held(places)) or set(texts(found)) == set(recorded))
            until(lambda: not outbox.pending(1))


def test_a_relay_outlives_an_outage_of_its_outbox(bus, places, outbox, record, monkeypatch):
    monkeypatch.setattr(relays, "_LONGEST_PAUSE", 0.01)

    class Flaky:
        """An outbox that can be reached every other time."""

        def __init__(self):
            self.asked = 0

        def fails(self):
            self.asked += 1
            if self.asked % 2:
                detail = "The data can't be reached right now."
                raise Unavailable(detail)

        def pending(self, limit):
            self.fails()
            return outbox.pending(limit)

        def published(self, events):
            self.fails()
            outbox.published(events)

    record("a")
    flaky = Flaky()
    with running(Relay(flaky, bus.topic(places))):
        until(lambda: flaky.asked > 6)
    assert "a" in texts(bus.held(places))


def test_a_bug_ends_the_relay():
    class Broken:
        def pending(self, limit):
            message = "no such attribute"
            raise KeyError(message)

    with pytest.raises(KeyError):
        Relay(Broken(), Topic(None, "")).run(Flag())


def test_an_idle_relay_stops_at_once(relay):
    stop = Flag()
    thread = Thread(target=relay.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(2)
    assert not thread.is_alive()
