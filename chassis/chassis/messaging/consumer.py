"""The consumer: receives a component's events from its queue and applies them."""

import logging
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag
from time import monotonic

from chassis.clock import Clock
from chassis.errors import CutoverInProgress, Unavailable
from chassis.messaging.events import Event, EventHandler, MalformedEvent, parse_event
from chassis.messaging.in_flight import RECEIVE_LIMIT, InFlightMessages, Outcome
from chassis.messaging.sns_topic import BATCH
from chassis.messaging.sqs_queue import Message, Queue

_LOG = logging.getLogger(__name__)
MAX_ATTEMPTS = 5
"""Attempts of an event whose handler fails with an unexpected error."""
_POLL_SECONDS = 0.25  # seconds between polls while slow messages are in flight
_MAX_BACKOFF = 10.0  # seconds, while something is down
_MAX_TRACKED_FAILURES = 1000


class Consumer:
    """Consumer of a queue, with a handler per event type.

    An event is acknowledged only after its handler returned. While a dependency of the handlers
    is down, nothing is received. An event that has to wait for the end of a move returns to the
    queue, and delays no other. An event that can never be applied is moved to the dead letters,
    with the reason.
    """

    def __init__(
        self,
        queue: Queue,
        handlers: Mapping[str, EventHandler],
        check: Callable[[], None],
        clock: Clock,
        wait_seconds: int,
    ) -> None:
        """Create a consumer; `check` raises Unavailable while a handler's dependency is down."""
        self._queue = queue
        self._handlers = handlers
        self._check = check
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._failures: dict[str, int] = {}
        self.lag_seconds = 0.0
        """The age of the last event when it was applied; 0 before the first one."""

    def run(self, stop: Flag) -> None:
        """Consume until `stop` is set; finish started messages and return the rest to the queue."""
        pause = 0.0
        with self._pool() as pool:
            in_flight = InFlightMessages(self._queue, self._apply, pool)
            while not stop.is_set():
                well = False
                try:
                    if pause:
                        self._check()
                    self._receive(in_flight, stop)
                    well = in_flight.settle(_POLL_SECONDS)
                except Unavailable as failure:
                    _LOG.warning("events wait in the queue: %s", failure.detail)
                if well:
                    pause = 0.0
                else:
                    pause = min(_MAX_BACKOFF, max(pause, 0.25) * 2)
                    delay = random.uniform(pause / 2, pause)  # noqa: S311
                    self._settle_while_waiting(in_flight, stop, delay)
            self._finish(in_flight)

    def consume_batch(self) -> bool:
        """Receive and apply one batch; return whether all dependencies were available.

        Raises:
            Unavailable: the queue can't be reached.
        """
        well = True
        with self._pool() as pool:
            in_flight = InFlightMessages(self._queue, self._apply, pool)
            in_flight.start(self._queue.receive(self._wait_seconds))
            while not in_flight.empty:
                well &= in_flight.settle(_POLL_SECONDS)
        return well

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(BATCH, thread_name_prefix="apply")

    def _receive(self, in_flight: InFlightMessages, stop: Flag) -> None:
        if not in_flight.capacity:
            return
        # With messages in flight there is no time for a long poll.
        messages = self._queue.receive(
            self._wait_seconds if in_flight.empty else 0, in_flight.capacity
        )
        if stop.is_set():
            self._queue.change_visibility(messages, 0)
        else:
            in_flight.start(messages)

    def _settle_while_waiting(
        self, in_flight: InFlightMessages, stop: Flag, seconds: float
    ) -> None:
        """Wait as long as the messages in flight allow."""
        end = monotonic() + seconds
        while not stop.is_set() and (left := end - monotonic()) > 0:
            if in_flight.empty:
                stop.wait(left)
            else:
                self._settle(in_flight, min(_POLL_SECONDS, left))

    def _finish(self, in_flight: InFlightMessages) -> None:
        while not in_flight.empty:
            self._settle(in_flight, _POLL_SECONDS)

    def _settle(self, in_flight: InFlightMessages, seconds: float) -> None:
        try:
            in_flight.settle(seconds)
        except Unavailable as failure:
            _LOG.warning("events could not be acknowledged: %s", failure.detail)

    def _apply(self, message: Message) -> Outcome:
        began = monotonic()
        try:
            event = parse_event(message.body)
            handler = self._handlers.get(event.type)
            if handler is not None:
                handler(event)
        except MalformedEvent as error:
            return self._dead_letter(message, f"malformed: {error}")
        except Unavailable as failure:
            _LOG.info("message %s waits: %s", message.id, failure.detail)
            # During a move, others need not wait.
            moving = isinstance(failure, CutoverInProgress)
            return Outcome.POSTPONED if moving else Outcome.DEFERRED
        except Exception as error:
            _LOG.exception("message %s failed", message.id)
            if (
                self._count_failure(message) < MAX_ATTEMPTS
                and message.receive_count < RECEIVE_LIMIT
            ):
                return Outcome.FAILED
            return self._dead_letter(message, f"{type(error).__name__}: {error}")
        self._failures.pop(message.id, None)
        self._log_applied("applied" if handler else "ignored", event, monotonic() - began)
        return Outcome.APPLIED

    def _count_failure(self, message: Message) -> int:
        """Count an event's failures in this process; a delivery during an outage is none."""
        if len(self._failures) > _MAX_TRACKED_FAILURES:
            self._failures.clear()
        self._failures[message.id] = self._failures.get(message.id, 0) + 1
        return self._failures[message.id]

    def _dead_letter(self, message: Message, reason: str) -> Outcome:
        _LOG.error("message %s goes to the dead letters: %s", message.id, reason)
        try:
            self._queue.dead_letter(message, reason)
        except Unavailable:
            return Outcome.DEFERRED
        self._failures.pop(message.id, None)
        return Outcome.DEAD_LETTERED

    def _log_applied(self, what: str, event: Event, seconds: float) -> None:
        self.lag_seconds = max(0.0, (self._clock() - event.time).total_seconds())
        _LOG.info(
            what,
            extra={
                "event_id": event.id,
                "event_type": event.type,
                "subject": event.subject,
                "version": event.version,
                "duration_ms": round(seconds * 1000, 1),
                "event_lag_ms": round(self.lag_seconds * 1000),
            },
        )
