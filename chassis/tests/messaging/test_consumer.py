"""The consumer: acknowledges events after their effect, and drops none in an outage."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event as Flag
from threading import Lock, Thread
from time import monotonic, sleep
from typing import ClassVar

import pytest

from chassis.clock import utc_now
from chassis.errors import CutoverInProgress, Unavailable
from chassis.messaging import consumer as consumers
from chassis.messaging import in_flight
from chassis.messaging.consumer import MAX_ATTEMPTS, Consumer
from chassis.messaging.events import Event, MalformedEvent
from chassis.messaging.sqs_queue import Queue, QueueDepth
from chassis.messaging.subscriptions import MAX_RECEIVES, Subscription
from tests.support.bus import make_event
from tests.support.waits import wait_until

NOTES = Subscription("notes", ("note.created", "note.moving", "note.slow", "note.unknown"))
DOWN = Unavailable("The notes can't be reached right now.")


class ImmediateRetryQueue(Queue):
    """A queue that redelivers postponed messages at once."""

    def change_visibility(self, messages, seconds: int) -> None:
        super().change_visibility(messages, 0)

    def requeue(self, message, seconds: int) -> None:
        super().requeue(message, 0)


class Notes:
    """The handlers' target."""

    def __init__(self) -> None:
        self.applied: Counter[str] = Counter()
        self.failure: Exception | None = None
        self.moving = False
        self.began, self.resume = Flag(), Flag()
        self._lock = Lock()

    def apply(self, event: Event) -> None:
        if self.failure:
            raise self.failure
        with self._lock:
            self.applied[event.id] += 1

    def apply_after_move(self, event: Event) -> None:
        if self.moving:
            raise CutoverInProgress("The notes are being moved.")
        self.apply(event)

    def slow(self, event: Event) -> None:
        self.began.set()
        assert self.resume.wait(20)
        self.apply(event)

    def check(self) -> None:
        if isinstance(self.failure, Unavailable):
            raise self.failure


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def places(bus):
    return bus.provision([NOTES])["notes"]


@pytest.fixture
def queue(bus, places):
    return bus.queue(places)


@pytest.fixture
def make(bus, places, notes) -> Callable[..., Consumer]:
    def make(kind: type[Queue] = Queue, check=notes.check, wait_seconds=0) -> Consumer:
        queue = kind(bus.sqs, places.queue_url, places.dead_letter_queue_url)
        handlers = {
            "note.created": notes.apply,
            "note.moving": notes.apply_after_move,
            "note.slow": notes.slow,
        }
        return Consumer(queue, handlers, check, utc_now, wait_seconds)

    return make


@contextmanager
def running(consumer, notes):
    """Run a consumer in a thread, and check that it stops in time."""
    stop = Flag()
    with ThreadPoolExecutor(1) as pool:
        ran = pool.submit(consumer.run, stop)
        try:
            yield stop
        finally:
            stop.set()
            notes.resume.set()
        ran.result(5)


def publish(bus, places, count=1, kind="note.created"):
    events = [make_event(kind) for _ in range(count)]
    bus.publish(places, *events)
    return Counter(event.id for event in events)


def test_events_are_applied_and_acknowledged(bus, places, queue, make, notes):
    events = publish(bus, places, 12)
    with running(make(), notes):
        wait_until(lambda: queue.depth() == QueueDepth(0, 0, 0))
    assert notes.applied == events


def test_nothing_is_acknowledged_before_its_effect(bus, places, queue, make, notes):
    publish(bus, places, 1, "note.slow")
    with running(make(), notes):
        assert notes.began.wait(5)
        assert queue.depth() == QueueDepth(0, 1, 0)
        assert not notes.applied
        notes.resume.set()
        wait_until(lambda: queue.depth() == QueueDepth(0, 0, 0))
        assert notes.applied.total() == 1


def test_event_whose_acknowledgement_failed_is_redelivered(bus, places, queue, make, notes):
    class UnacknowledgedQueue(ImmediateRetryQueue):
        """A queue whose first acknowledgements fail."""

        left = 2

        def delete(self, messages):
            if messages and self.left:
                self.left -= 1
                self.change_visibility(messages, 0)
                raise DOWN
            super().delete(messages)

    events = publish(bus, places, 3)
    with running(make(UnacknowledgedQueue), notes):
        wait_until(lambda: queue.depth() == QueueDepth(0, 0, 0))
    assert set(notes.applied) == set(events)
    assert notes.applied.total() > 3


def test_unhandled_event_types_are_ignored(bus, places, queue, make, notes, logged):
    publish(bus, places, 1, "note.unknown")
    assert make().consume_batch()
    assert [line["message"] for line in logged()[0]] == ["ignored"]
    assert queue.depth() == QueueDepth(0, 0, 0)
    assert not notes.applied


def test_empty_queue_is_a_success(make):
    assert make().consume_batch()


@pytest.mark.parametrize("body", ["nonsense", "{}", '{"specversion": "1.0", "id": "e1"}'])
def test_malformed_message_is_dead_lettered_at_once(bus, places, queue, make, logged, body):
    bus.send(places, body)
    assert make().consume_batch()
    (line,), _ = logged()
    assert line["level"] == "ERROR"
    assert "goes to the dead letters: malformed: " in line["message"]
    assert queue.depth() == QueueDepth(0, 0, 1)
    ((reason, dead),) = bus.take_dead_letters(places)
    assert reason.startswith("malformed: ")
    assert dead == body


def test_event_that_a_handler_calls_malformed_is_dead_lettered(bus, places, make, notes):
    publish(bus, places)
    notes.failure = MalformedEvent("text: Field required")
    assert make().consume_batch()
    assert [reason for reason, _ in bus.take_dead_letters(places)] == [
        "malformed: text: Field required"
    ]


def test_failing_event_is_dead_lettered_with_its_reason(bus, places, queue, make, notes):
    publish(bus, places)
    notes.failure = LookupError("no such thread")
    consumer = make(ImmediateRetryQueue)
    for _ in range(MAX_ATTEMPTS):
        assert queue.depth() == QueueDepth(1, 0, 0)
        assert consumer.consume_batch(), "nothing is down"
    assert queue.depth() == QueueDepth(0, 0, 1)
    assert [reason for reason, _ in bus.take_dead_letters(places)] == [
        "LookupError: no such thread"
    ]


def test_failed_event_is_retried_after_a_delay(bus, places, queue, make, notes):
    events = publish(bus, places)
    notes.failure = LookupError("not yet")
    consumer = make(wait_seconds=3)
    consumer.consume_batch()
    assert queue.receive(0) == []
    notes.failure = None
    consumer.consume_batch()
    assert notes.applied == events
    assert queue.depth() == QueueDepth(0, 0, 0)


def test_outage_never_leads_to_dead_letters(bus, places, queue, make, notes):
    events = publish(bus, places, 2)
    notes.failure = DOWN
    consumer = make(ImmediateRetryQueue)
    for _ in range(MAX_RECEIVES + 20):
        assert not consumer.consume_batch()
    assert queue.depth() == QueueDepth(2, 0, 0)
    notes.failure = None
    assert consumer.consume_batch()
    assert notes.applied == events


def test_events_that_wait_for_a_move_delay_no_others(bus, places, queue, make, notes):
    checked = Counter()

    def check():
        checked["checks"] += 1

    notes.moving = True
    waiting = publish(bus, places, 25, "note.moving")
    events = publish(bus, places, 4)
    with running(make(check=check), notes):
        wait_until(lambda: notes.applied == events)
        assert not checked, "the consumer paused, as if something were down"
        notes.moving = False
        wait_until(lambda: queue.depth() == QueueDepth(0, 0, 0))
    assert notes.applied == events + waiting


def test_move_never_leads_to_dead_letters(bus, places, queue, make, notes):
    notes.moving = True
    events = publish(bus, places, 2, "note.moving")
    consumer = make(ImmediateRetryQueue)
    for _ in range(MAX_RECEIVES + 20):
        assert consumer.consume_batch(), "nothing is down"
    assert queue.depth() == QueueDepth(2, 0, 0)
    notes.moving = False
    assert consumer.consume_batch()
    assert notes.applied == events


def test_failures_before_a_success_are_forgotten(bus, places, queue, make, notes):
    class UnacknowledgedQueue(ImmediateRetryQueue):
        """A queue that redelivers what it should delete."""

        def delete(self, messages):
            if messages:
                self.change_visibility(messages, 0)
                raise DOWN

    publish(bus, places)
    consumer = make(UnacknowledgedQueue)
    notes.failure = LookupError("x")
    for _ in range(MAX_ATTEMPTS - 1):
        consumer.consume_batch()
    notes.failure = None
    with pytest.raises(Unavailable):
        consumer.consume_batch()
    notes.failure = LookupError("x")
    consumer.consume_batch()
    assert queue.depth() == QueueDepth(1, 0, 0)


def test_only_some_failing_events_are_remembered(bus, places, queue, make, notes, monkeypatch):
    monkeypatch.setattr(consumers, "_MAX_TRACKED_FAILURES", 1)
    publish(bus, places, 3)
    notes.failure = LookupError("x")
    consumer = make(ImmediateRetryQueue)
    for _ in range(MAX_ATTEMPTS):
        consumer.consume_batch()
    assert queue.depth() == QueueDepth(3, 0, 0), "none was counted up to the limit"


def test_deliveries_during_an_outage_are_not_counted_as_failures(
    bus, places, queue, make, notes, logged
):
    publish(bus, places)
    consumer = make(ImmediateRetryQueue)
    notes.failure = DOWN
    for _ in range(MAX_ATTEMPTS):
        consumer.consume_batch()
    (line, *others), _ = logged()
    assert line["message"].endswith(f" waits: {DOWN.detail}")
    assert len(others) == MAX_ATTEMPTS - 1
    notes.failure = LookupError("once")
    consumer.consume_batch()
    assert queue.depth() == QueueDepth(1, 0, 0)
    notes.failure = None
    consumer.consume_batch()
    assert notes.applied.total() == 1


def test_failing_event_is_dead_lettered_before_sqs_moves_it(bus, places, make, notes):
    publish(bus, places)
    notes.failure = LookupError("x")
    for _ in range(MAX_RECEIVES):
        make(
            ImmediateRetryQueue
        ).consume_batch()  # each time another process, which knows of no failure
    assert [reason for reason, _ in bus.take_dead_letters(places)] == ["LookupError: x"]


def test_pauses_grow_while_something_is_down(make, monkeypatch, logged):
    pauses = []
    monkeypatch.setattr(consumers.random, "uniform", lambda *bounds: pauses.append(bounds) or 0.01)
    results = [*[DOWN] * 7, [], DOWN]
    checked = Counter()

    class ScriptedQueue(Queue):
        """A queue with given results."""

        def receive(self, *arguments):
            result = results.pop(0)
            if isinstance(result, Unavailable):
                raise result
            return result

    class EndingFlag(Flag):
        """A flag that is set after the last result, and remembers the waits."""

        waits: ClassVar[list[float]] = []

        def is_set(self):
            return not results

        def wait(self, seconds):
            self.waits.append(seconds)
            super().wait(seconds)

    make(ScriptedQueue, lambda: checked.update(["checks"])).run(EndingFlag())
    assert len(EndingFlag.waits) >= 7
    assert all(0 < seconds <= 0.01 for seconds in EndingFlag.waits)
    assert pauses == [(high / 2, high) for high in (0.5, 1, 2, 4, 8, 10, 10, 0.5)]
    assert checked == {"checks": 7}, "once after each failure"
    waiting = f"events wait in the queue: {DOWN.detail}"
    assert [line["message"] for line in logged()[0]] == [waiting] * 8


def test_nothing_is_received_while_a_dependency_is_down(
    bus, places, queue, make, notes, monkeypatch
):
    monkeypatch.setattr(consumers, "_MAX_BACKOFF", 0.01)
    checked = Counter()

    def check():
        checked["checks"] += 1
        notes.check()

    events = publish(bus, places, 15)
    notes.failure = DOWN
    with running(make(ImmediateRetryQueue, check), notes):
        wait_until(lambda: checked["checks"] > 5)
        messages = queue.receive(0, most=10) + queue.receive(0)
        assert sorted(message.receive_count for message in messages) == [1] * 5 + [2] * 10
        queue.change_visibility(messages[:10], 0)
        queue.change_visibility(messages[10:], 0)
        notes.failure = None
        wait_until(lambda: queue.depth() == QueueDepth(0, 0, 0))
    assert notes.applied == events


def test_message_stays_when_dead_lettering_fails(bus, places, queue, make):
    bus.send(places, "nonsense")
    bus.sqs.delete_queue(QueueUrl=places.dead_letter_queue_url)
    consumer = make(ImmediateRetryQueue)
    assert not consumer.consume_batch()
    (message,) = queue.receive(0)
    assert message.body == "nonsense"


def test_fast_events_do_not_wait_for_slow_ones(bus, places, queue, make, notes):
    waits = set()

    class RecordingQueue(Queue):
        """A queue that remembers for how long it was asked."""

        def receive(self, wait_seconds, *arguments):
            waits.add(wait_seconds)
            return super().receive(wait_seconds, *arguments)

    publish(bus, places, 1, "note.slow")
    events = publish(bus, places, 9)
    with running(make(RecordingQueue, wait_seconds=20), notes):
        wait_until(lambda: queue.depth() == QueueDepth(0, 1, 0), timeout=5)
        assert notes.applied == events
        events += publish(bus, places, 30)
        wait_until(lambda: queue.depth() == QueueDepth(0, 1, 0), timeout=5)
        assert notes.applied == events
    assert waits == {20, 0}


def test_slow_event_does_not_keep_the_consumer_busy(bus, places, make, notes):
    asked = Counter()

    class CountingQueue(Queue):
        """A queue that counts how often it was asked."""

        def receive(self, *arguments):
            asked["times"] += 1
            return super().receive(*arguments)

    publish(bus, places, 1, "note.slow")
    with running(make(CountingQueue), notes):
        assert notes.began.wait(5)
        asked.clear()
        sleep(1)
        assert 2 <= asked["times"] <= 5


def test_consumer_receives_no_more_than_it_can_process(bus, places, queue, make, notes):
    publish(bus, places, 12, "note.slow")
    with running(make(), notes):
        wait_until(lambda: queue.depth() == QueueDepth(2, 10, 0))
        assert not any(queue.depth() != QueueDepth(2, 10, 0) for _ in range(20))
        notes.resume.set()
        wait_until(lambda: queue.depth() == QueueDepth(0, 0, 0))
    assert notes.applied.total() == 12


@pytest.mark.parametrize("way", ["consume_batch", "run"])
def test_slow_event_stays_invisible(bus, places, queue, make, notes, monkeypatch, way):
    monkeypatch.setattr(in_flight, "VISIBILITY_SECONDS", 1)
    bus.sqs.set_queue_attributes(QueueUrl=places.queue_url, Attributes={"VisibilityTimeout": "1"})
    publish(bus, places, 1, "note.slow")
    publish(bus, places, 3)
    consumer = make()
    if way == "consume_batch":
        thread = Thread(target=consumer.consume_batch)
        thread.start()
        assert notes.began.wait(5)
        assert queue.receive(2) == []
        notes.resume.set()
        thread.join()
    else:
        with running(consumer, notes):
            assert notes.began.wait(5)
            assert queue.receive(2) == []
    assert queue.depth() == QueueDepth(0, 0, 0)
    assert notes.applied.total() == 4


def test_slow_event_stays_invisible_while_the_queue_is_down(
    bus, places, queue, make, notes, monkeypatch
):
    monkeypatch.setattr(in_flight, "VISIBILITY_SECONDS", 1)
    publish(bus, places, 1, "note.slow")

    class SingleDeliveryQueue(Queue):
        """A queue that delivers once, and is unreachable afterwards."""

        left = 1

        def receive(self, *arguments):
            if not self.left:
                raise DOWN
            self.left -= 1
            return super().receive(*arguments)

    bus.sqs.set_queue_attributes(QueueUrl=places.queue_url, Attributes={"VisibilityTimeout": "1"})
    with running(make(SingleDeliveryQueue), notes):
        assert notes.began.wait(5)
        assert queue.receive(2) == []
    assert queue.depth() == QueueDepth(0, 0, 0)


def test_stop_finishes_events_in_progress(bus, places, queue, make, notes):
    publish(bus, places, 1, "note.slow")
    consumer, stop = make(), Flag()
    thread = Thread(target=consumer.run, args=(stop,))
    thread.start()
    assert notes.began.wait(5)
    events = publish(bus, places, 3)
    wait_until(lambda: queue.depth() == QueueDepth(0, 1, 0))
    stop.set()
    thread.join(0.3)
    assert thread.is_alive()
    publish(bus, places)
    notes.resume.set()
    thread.join(5)
    assert not thread.is_alive()
    assert queue.depth() == QueueDepth(1, 0, 0), "what came later is another worker's"
    assert notes.applied.total() == 4
    assert set(events) < set(notes.applied)


def test_stop_returns_events_not_begun(bus, places, queue, make, notes):
    stop, delays = Flag(), []

    class StoppingQueue(Queue):
        """A queue that delivers just when the worker is stopped."""

        def receive(self, *arguments):
            messages = super().receive(*arguments)
            stop.set()
            return messages

        def change_visibility(self, messages, seconds):
            delays.extend([seconds] * len(messages))
            super().change_visibility(messages, seconds)

    publish(bus, places, 4)
    make(StoppingQueue).run(stop)
    assert queue.depth() == QueueDepth(4, 0, 0)
    assert set(delays) == {0}
    assert not notes.applied


def test_idle_consumer_stops_after_its_wait(make, notes):
    start = monotonic()
    with running(make(wait_seconds=1), notes) as stop:
        stop.set()
    assert monotonic() - start < 2.5


def test_failed_acknowledgement_during_a_pause_ends_nothing(
    bus, places, make, notes, monkeypatch, logged
):
    monkeypatch.setattr(consumers.random, "uniform", lambda *_: 60)
    paused, refused = Flag(), Flag()

    class UnreachableQueue(Queue):
        """A queue that is unreachable once it has delivered an event."""

        def receive(self, *arguments):
            if notes.began.is_set():
                paused.set()
                raise DOWN
            return super().receive(*arguments)

        def delete(self, messages):
            if messages:
                refused.set()
                raise DOWN

    publish(bus, places, 1, "note.slow")
    with running(make(UnreachableQueue), notes):
        assert paused.wait(5)
        notes.resume.set()
        assert refused.wait(5)
    messages = [line["message"] for line in logged()[0]]
    assert f"events could not be acknowledged: {DOWN.detail}" in messages


def test_consumer_survives_an_outage_of_its_queue(bus, places, queue, make, notes, monkeypatch):
    monkeypatch.setattr(consumers, "_MAX_BACKOFF", 0.01)

    class FlakyQueue(Queue):
        """A queue that is reachable every other time."""

        asked = 0

        def receive(self, *arguments):
            self.asked += 1
            if self.asked % 2:
                raise DOWN
            return super().receive(*arguments)

    events = publish(bus, places, 25)
    with running(make(FlakyQueue), notes):
        wait_until(lambda: queue.depth() == QueueDepth(0, 0, 0))
    assert notes.applied == events


def test_bug_ends_the_consumer_after_events_in_progress(bus, places, make, notes):
    class BrokenQueue(Queue):
        """A queue that fails with an unexpected error."""

        def delete(self, messages):
            message = "no such attribute"
            raise KeyError(message)

    events = publish(bus, places, 3)
    with pytest.raises(KeyError):
        make(BrokenQueue).run(Flag())
    assert notes.applied == events


def test_applied_event_is_logged_with_its_lag(bus, places, make, notes, logged):
    event = make_event()
    bus.publish(places, event)
    consumer = make()
    assert consumer.lag_seconds == 0
    consumer.consume_batch()
    (line,), _ = logged()
    assert 0 <= line.pop("duration_ms") < 5_000
    assert line.pop("event_lag_ms") == round(consumer.lag_seconds * 1000)
    assert line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "chassis.messaging.consumer",
        "message": "applied",
        "component": "tested",
        "event_id": event.id,
        "event_type": "note.created",
        "subject": event.subject,
        "version": 1,
    }
    assert 0 < consumer.lag_seconds < 5


@pytest.mark.parametrize(("seconds", "lag"), [(2.5, 2.5), (0.25, 0.25), (-3, 0)])
def test_lag_is_an_events_age_and_never_negative(
    bus, places, queue, logged, monkeypatch, seconds, lag
):
    event = make_event()
    bus.publish(places, event)
    monkeypatch.setattr(consumers, "monotonic", iter([100, 100.12344]).__next__)
    consumer = Consumer(
        queue,
        {"note.created": lambda _: None},
        lambda: None,
        lambda: event.time + timedelta(seconds=seconds),
        0,
    )
    consumer.consume_batch()
    (line,), _ = logged()
    assert (consumer.lag_seconds, line["event_lag_ms"]) == (lag, lag * 1000)
    assert line["duration_ms"] == 123.4


def test_failure_is_logged_with_its_traceback(bus, places, make, notes, logged):
    publish(bus, places)
    notes.failure = LookupError("no such thread")
    make().consume_batch()
    (line,), _ = logged()
    assert line["level"] == "ERROR"
    assert "no such thread" in line["exc_info"]
