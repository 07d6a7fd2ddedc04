"""The consumer: takes a component's events from its queue, and applies each until it is done."""

import logging
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag
from time import monotonic

from chassis.clock import Clock
from chassis.errors import Unavailable
from chassis.messaging.bus import BATCH, Message, Queue
from chassis.messaging.events import Event, Handler, Malformed, from_json
from chassis.messaging.in_flight import NEARLY_TOO_OFTEN, Hand, Outcome

_LOG = logging.getLogger(__name__)
MAX_ATTEMPTS = 5
"""So often an event is tried that a handler fails on for an unknown reason."""
_GLANCE = 0.25  # seconds between looks for more, while slow ones are in hand
_LONGEST_PAUSE = 10.0  # seconds, while something is down
_REMEMBERED = 1000


class Consumer:
    """Applies events of a queue by their type.

    An event is acknowledged only after its handler returned. While a part that handlers need is
    down, nothing is received; what can never be applied goes to the dead letters with its reason.
    """

    def __init__(
        self,
        queue: Queue,
        handlers: Mapping[str, Handler],
        check: Callable[[], None],
        clock: Clock,
        wait_seconds: int,
    ) -> None:
        """Take what checks that the parts are there which handlers need, or raises Unavailable."""
        self._queue = queue
        self._handlers = handlers
        self._check = check
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._failures: dict[str, int] = {}
        self.lag_seconds = 0.0
        """How old the last event was when it was applied; 0 before the first one."""

    def run(self, stop: Flag) -> None:
        """Go on until asked to stop; what was begun by then is finished, the rest given back."""
        pause = 0.0
        with self._pool() as pool:
            hand = Hand(self._queue, self._apply, pool)
            while not stop.is_set():
                well = False
                try:
                    if pause:
                        self._check()
                    self._take(hand, stop)
                    well = hand.settle(_GLANCE)
                except Unavailable as failure:
                    _LOG.warning("events wait in the queue: %s", failure.detail)
                if well:
                    pause = 0.0
                else:
                    pause = min(_LONGEST_PAUSE, max(pause, 0.25) * 2)
                    self._rest(hand, stop, random.uniform(pause / 2, pause))  # noqa: S311
            self._finish(hand)

    def once(self) -> bool:
        """Take one batch and apply it; answers whether everything that is needed was there.

        Raises:
            Unavailable: the queue can't be reached.
        """
        well = True
        with self._pool() as pool:
            hand = Hand(self._queue, self._apply, pool)
            hand.take(self._queue.receive(self._wait_seconds))
            while not hand.empty:
                well &= hand.settle(_GLANCE)
        return well

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(BATCH, thread_name_prefix="apply")

    def _take(self, hand: Hand, stop: Flag) -> None:
        if not hand.room:
            return
        # With something in hand there is no time for a long wait.
        messages = self._queue.receive(self._wait_seconds if hand.empty else 0, hand.room)
        if stop.is_set():
            self._queue.hide(messages, 0)
        else:
            hand.take(messages)

    def _rest(self, hand: Hand, stop: Flag, seconds: float) -> None:
        """Pass time, for as much as what is in hand allows."""
        end = monotonic() + seconds
        while not stop.is_set() and (left := end - monotonic()) > 0:
            if hand.empty:
                stop.wait(left)
            else:
                self._settle(hand, min(_GLANCE, left))

    def _finish(self, hand: Hand) -> None:
        while not hand.empty:
            self._settle(hand, _GLANCE)

    def _settle(self, hand: Hand, seconds: float) -> None:
        try:
            hand.settle(seconds)
        except Unavailable as failure:
            _LOG.warning("events could not be acknowledged: %s", failure.detail)

    def _apply(self, message: Message) -> Outcome:
        began = monotonic()
        try:
            event = from_json(message.body)
            handler = self._handlers.get(event.type)
            if handler is not None:
                handler(event)
        except Malformed as error:
            return self._bury(message, f"malformed: {error}")
        except Unavailable as failure:
            _LOG.info("message %s waits: %s", message.id, failure.detail)
            return Outcome.LATER
        except Exception as error:
            _LOG.exception("message %s failed", message.id)
            if self._failed(message) < MAX_ATTEMPTS and message.received < NEARLY_TOO_OFTEN:
                return Outcome.FAILED
            return self._bury(message, f"{type(error).__name__}: {error}")
        self._failures.pop(message.id, None)
        self._tell("applied" if handler else "ignored", event, monotonic() - began)
        return Outcome.DONE

    def _failed(self, message: Message) -> int:
        """Count how often an event failed here; a delivery during an outage is no failure."""
        if len(self._failures) > _REMEMBERED:
            self._failures.clear()
        self._failures[message.id] = self._failures.get(message.id, 0) + 1
        return self._failures[message.id]

    def _bury(self, message: Message, reason: str) -> Outcome:
        _LOG.error("message %s goes to the dead letters: %s", message.id, reason)
        try:
            self._queue.bury(message, reason)
        except Unavailable:
            return Outcome.LATER
        self._failures.pop(message.id, None)
        return Outcome.BURIED

    def _tell(self, what: str, event: Event, seconds: float) -> None:
        self.lag_seconds = max(0.0, (self._clock() - event.time).total_seconds())
        _LOG.info(
            what,
            extra={
                "event_id": event.id,
                "event_type": event.type,
                "subject": event.subject,
                "version": event.version,
                "milliseconds": round(seconds * 1000, 1),
                "lag_milliseconds": round(self.lag_seconds * 1000),
            },
        )
