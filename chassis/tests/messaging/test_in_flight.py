"""Messages in flight: how long they are waited for, hidden and delayed."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag
from time import monotonic

import pytest

from chassis.messaging import in_flight
from chassis.messaging.in_flight import InFlightMessages, Outcome
from chassis.messaging.sqs_queue import Queue, QueueDepth
from chassis.messaging.subscriptions import VISIBILITY_SECONDS, Subscription

NOTES = Subscription("notes", ("note.created",))
SLOW, FAST = "slow", "fast"


class RecordingQueue(Queue):
    """A queue that remembers for how long it was asked to hide messages, and hides them."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.hidden: list[int] = []

    def change_visibility(self, messages, seconds: int) -> None:
        self.hidden += [seconds] * len(messages)
        super().change_visibility(messages, seconds)


@pytest.fixture
def places(bus):
    return bus.provision([NOTES])["notes"]


@pytest.fixture
def queue(bus, places):
    return RecordingQueue(bus.sqs, places.queue_url, places.dead_letter_queue_url)


@pytest.fixture
def held(queue):
    """Messages in flight; a slow one ends with the test."""
    resume = Flag()

    def apply(message):
        assert message.body != SLOW or resume.wait(60)
        return Outcome.APPLIED

    with ThreadPoolExecutor(2) as pool:
        yield InFlightMessages(queue, apply, pool)
        resume.set()


@pytest.fixture
def start(bus, places, queue, held):
    """Return a function that sends a message and starts it."""

    def start(body):
        bus.send(places, body)
        held.start(queue.receive(5))

    return start


def test_latest_message_is_settled_without_the_slower_ones(queue, held, start):
    start(SLOW)
    held.settle(0)
    start(FAST)
    began = monotonic()
    assert held.settle(8)
    assert monotonic() - began < 7
    assert queue.depth() == QueueDepth(0, 1, 0)


def test_slow_messages_are_waited_for_once_the_latest_ended(held, start):
    start(SLOW)
    for _ in range(2):
        began = monotonic()
        assert held.settle(0.2)
        assert monotonic() - began >= 0.2


def test_message_is_hidden_again_after_half_of_its_time(queue, held, start, monkeypatch):
    now, hidden_at = 0.0, []
    monkeypatch.setattr(in_flight, "monotonic", lambda: now)
    start(SLOW)
    half = VISIBILITY_SECONDS / 2
    for now in (0.0, half, half + 0.1, 2 * half, 2 * half + 0.1, 2 * half + 0.2):
        held.settle(0)
        if queue.hidden:
            hidden_at.append((now, queue.hidden.pop()))
    assert hidden_at == [(half + 0.1, VISIBILITY_SECONDS), (2 * half + 0.2, VISIBILITY_SECONDS)]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DEFERRED, Outcome.POSTPONED])
def test_delay_doubles_up_to_the_visibility_timeout(bus, places, outcome):
    class ImmediateRetryQueue(RecordingQueue):
        """A queue that remembers the delays, but redelivers at once."""

        def change_visibility(self, messages, seconds):
            super().change_visibility(messages, seconds)
            Queue.change_visibility(self, messages, 0)

    queue = ImmediateRetryQueue(bus.sqs, places.queue_url, places.dead_letter_queue_url)
    bus.send(places, FAST)
    with ThreadPoolExecutor(1) as pool:
        held = InFlightMessages(queue, lambda _: outcome, pool)
        for _ in range(5):
            held.start(queue.receive(5))
            assert held.settle(5) == (outcome is not Outcome.DEFERRED)
    assert queue.hidden == [2, 4, 8, VISIBILITY_SECONDS, VISIBILITY_SECONDS]
