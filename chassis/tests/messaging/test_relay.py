"""The relay: every event is published at least once, under failures and with several relays."""

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
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.relay import Relay
from chassis.messaging.sns_topic import Topic
from chassis.messaging.subscriptions import Subscription
from tests.support.bus import Bus, MiniStack
from tests.support.waits import wait_until

OUTBOX = outboxes.outbox_table("notes")
NOTES = Subscription("notes", ("note.created",))


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
    """Run a relay in a thread, and check that it stops in time."""
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
    assert relay.publish_pending() == 2
    assert texts(bus.take_events(places)) == recorded
    assert outbox.load_unpublished(10) == []
    assert relay.publish_pending() == 0
    assert bus.take_events(places) == []


def test_empty_outbox_costs_no_call_of_the_topic(outbox):
    assert Relay(outbox, Topic(None, "")).publish_pending() == 0


def test_backlog_is_published_without_a_pause(bus, places, relay, record, monkeypatch):
    monkeypatch.setattr(relays, "_MIN_INTERVAL", 30.0)
    monkeypatch.setattr(relays, "BATCH", 5)
    recorded = record(*(f"{number:03}" for number in range(60)))
    found = []
    with ThreadPoolExecutor(1) as pool:
        stop = Flag()
        pool.submit(relay.run, stop)
        wait_until(lambda: found.extend(bus.take_events(places)) or len(found) >= 55)
        stop.set()
    assert set(texts(found)) <= set(recorded)


def test_pauses_grow_while_nothing_is_published(monkeypatch):
    monkeypatch.setattr(relays.random, "uniform", lambda *bounds: bounds)
    down = Unavailable("The bus is temporarily unavailable.")
    idle, outage, busy = [0] * 8, [down] * 6, [relays.BATCH, relays.BATCH + 1]
    results = [*idle, 1, 0, *outage, relays.BATCH - 1, *busy, 0, *busy, down]

    class ScriptedRelay(Relay):
        """A relay with given results."""

        def publish_pending(self):
            result = results.pop(0)
            if isinstance(result, Unavailable):
                raise result
            return result

    class RecordingFlag(Flag):
        """A flag that is set after the last result, and remembers the waits."""

        def __init__(self):
            super().__init__()
            self.waits = []

        def is_set(self):
            return not results

        def wait(self, bounds):
            self.waits.append(bounds)

    stop = RecordingFlag()
    ScriptedRelay(None, Topic(None, "")).run(stop)
    pauses = [high for _, high in stop.waits]
    assert [low for low, _ in stop.waits] == [pause / 2 for pause in pauses]
    growing = [0.15, 0.225, 0.3375, 0.50625, 0.759375, 1, 1, 1]
    assert pauses == pytest.approx([*growing, 0.1, 0.15, 1, 2, 4, 8, 10, 10, 0.1, 0.15, 1])


def test_rejected_event_waits_and_delays_no_other(bus, places, outbox, record, logged):
    class RejectingTopic(Topic):
        """A topic that rejects some events."""

        def publish(self, events):
            return super().publish([event for event in events if event.data["text"] != "b"])

    record("a", "b", "c")
    relay = Relay(outbox, RejectingTopic(bus.sns, places.topic_arn))
    assert relay.publish_pending() == 2
    assert texts(outbox.load_unpublished(10)) == ["b"]
    assert [line["message"] for line in logged()[0]] == ["1 events were not taken and wait"]
    record("d")
    assert relay.publish_pending() == 1
    logged()
    assert Relay(outbox, bus.topic(places)).publish_pending() == 1
    assert logged()[0] == []
    assert texts(bus.take_events(places)) == ["a", "b", "c", "d"]


def test_relay_killed_before_marking_publishes_again(bus, places, outbox, relay, record):
    record("a")
    bus.topic(places).publish(outbox.load_unpublished(10))
    assert relay.publish_pending() == 1
    assert texts(bus.take_events(places)) == ["a", "a"]


def test_relays_at_the_same_outbox_lose_nothing(bus, places, outbox, record):
    relay_number = 3
    found = []
    with ThreadPoolExecutor(relay_number + 1) as pool:
        stop = Flag()
        ran = [pool.submit(Relay(outbox, bus.topic(places)).run, stop) for _ in range(relay_number)]
        recorded = []
        for start in range(0, 300, 20):
            recorded += record(*(f"{number:03}" for number in range(start, start + 20)))
        wait_until(lambda: not outbox.load_unpublished(1) or any(one.done() for one in ran))
        stop.set()
        for one in ran:
            one.result(5)
    found = bus.take_events(places)
    assert sorted(set(texts(found))) == recorded
    assert outbox.oldest_unpublished_at() is None


def test_events_wait_during_an_outage_of_the_bus_and_catch_up(outbox, record, monkeypatch, logged):
    monkeypatch.setattr(relays, "_MAX_BACKOFF", 0.1)
    with MiniStack() as ministack:
        for name, value in ministack.environment.items():
            monkeypatch.setenv(name, value)
        mine = Bus(ministack)
        places = mine.provision([NOTES], prefix="down-")["notes"]
        with running(Relay(outbox, mine.topic(places))):
            recorded = record("a")
            assert texts(wait_until(lambda: mine.take_events(places))) == recorded
            ministack.kill()
            recorded = record("b", "c")
            wait_until(lambda: logged()[0])
            ministack.start()
            assert texts(outbox.load_unpublished(10)) == recorded, "the topic is missing"
            mine.provision([NOTES], prefix="down-")
            # Some may have been published after there was a topic, before there was a subscription.
            outbox.republish_since(utc_now() - timedelta(minutes=1))
            recorded = sorted(["a", *recorded])
            found = []
            wait_until(
                lambda: found.extend(mine.take_events(places)) or set(texts(found)) == set(recorded)
            )
            wait_until(lambda: not outbox.load_unpublished(1))


def test_relay_survives_an_outage_of_its_outbox(bus, places, outbox, record, monkeypatch):
    monkeypatch.setattr(relays, "_MAX_BACKOFF", 0.01)

    class FlakyOutbox:
        """An outbox that is reachable every other time."""

        def __init__(self):
            self.calls = 0

        def fail_every_other_time(self):
            self.calls += 1
            if self.calls % 2:
                detail = "The database is temporarily unavailable."
                raise Unavailable(detail)

        def load_unpublished(self, limit):
            self.fail_every_other_time()
            return outbox.load_unpublished(limit)

        def mark_published(self, events):
            self.fail_every_other_time()
            outbox.mark_published(events)

    record("a")
    flaky = FlakyOutbox()
    with running(Relay(flaky, bus.topic(places))):
        wait_until(lambda: flaky.calls > 6)
    assert "a" in texts(bus.take_events(places))


def test_bug_ends_the_relay():
    class BrokenOutbox:
        def load_unpublished(self, limit):
            message = "no such attribute"
            raise KeyError(message)

    with pytest.raises(KeyError):
        Relay(BrokenOutbox(), Topic(None, "")).run(Flag())


def test_idle_relay_stops_at_once(relay):
    stop = Flag()
    thread = Thread(target=relay.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(2)
    assert not thread.is_alive()
