"""Messages in flight: those a consumer is applying, each until it is settled."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from enum import Enum
from time import monotonic

from chassis.messaging.sns_topic import BATCH
from chassis.messaging.sqs_queue import Message, Queue
from chassis.messaging.subscriptions import MAX_RECEIVES, VISIBILITY_SECONDS


class Outcome(Enum):
    """The outcome of applying a message."""

    APPLIED = "done"  # applied, or not relevant: acknowledged
    FAILED = "failed"  # failed: delivered again after a while
    DEFERRED = "later"  # not tried, because a dependency is down: delivered again after a while
    POSTPONED = "postponed"  # not possible before a move ends: delivered again after a while
    DEAD_LETTERED = "buried"  # moved to the dead letters


_WAITING = frozenset({Outcome.DEFERRED, Outcome.POSTPONED})


@dataclass
class _InFlight:
    message: Message
    until: float  # visibility timeout


class InFlightMessages:
    """Messages that are being applied, at most `BATCH` of them.

    Each is acknowledged as soon as it is done, independent of the others, and is hidden from
    other consumers until then.
    """

    def __init__(
        self, queue: Queue, apply: Callable[[Message], Outcome], executor: Executor
    ) -> None:
        self._queue = queue
        self._apply = apply
        self._executor = executor
        self._held: dict[Future[Outcome], _InFlight] = {}
        self._fresh: set[Future[Outcome]] = set()

    @property
    def capacity(self) -> int:
        """The number of further messages that can be started."""
        return BATCH - len(self._held)

    @property
    def empty(self) -> bool:
        """True while no message is being applied."""
        return not self._held

    def start(self, messages: Sequence[Message]) -> None:
        """Start applying messages that were just received."""
        for message in messages:
            future = self._executor.submit(self._apply, message)
            self._held[future] = _InFlight(message, monotonic() + VISIBILITY_SECONDS)
            self._fresh.add(future)

    def settle(self, seconds: float) -> bool:
        """Wait up to some seconds for the latest messages, and settle all that have ended.

        If the latest are all settled, wait for the slower ones.

        Return whether their dependencies were available.

        Raises:
            Unavailable: the queue can't be reached; the ended messages are delivered again.
        """
        # A slow message must delay neither the others nor the next ones.
        wait(self._fresh or self._held, timeout=seconds)
        self._fresh.clear()
        ended = [future for future in self._held if future.done()]
        outcomes = [(self._held.pop(future).message, future.result()) for future in ended]
        self._queue.delete([m for m, outcome in outcomes if outcome is Outcome.APPLIED])
        for message, outcome in outcomes:
            if outcome in {Outcome.FAILED, *_WAITING}:
                self._delay(message, outcome)
        self._extend_visibility()
        return all(outcome is not Outcome.DEFERRED for _, outcome in outcomes)

    def _delay(self, message: Message, outcome: Outcome) -> None:
        seconds = min(VISIBILITY_SECONDS, 2**message.receive_count)
        # SQS moves a message to the dead letters after too many deliveries; waiting must not.
        if outcome in _WAITING and message.receive_count >= RECEIVE_LIMIT:
            self._queue.requeue(message, seconds)
        else:
            self._queue.change_visibility([message], seconds)

    def _extend_visibility(self) -> None:
        now = monotonic()
        due = [held for held in self._held.values() if held.until - now < VISIBILITY_SECONDS / 2]
        self._queue.change_visibility([held.message for held in due], VISIBILITY_SECONDS)
        for held in due:
            held.until = now + VISIBILITY_SECONDS


RECEIVE_LIMIT = MAX_RECEIVES - 10
"""Number of deliveries after which SQS would soon dead-letter a message, without a reason."""
