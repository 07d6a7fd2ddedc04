"""The consumer: takes a component's events from its queue, and applies each until it is done."""

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event as Flag
from time import monotonic

from chassis.bus import BATCH, Message, Queue
from chassis.clock import Clock
from chassis.errors import Unavailable
from chassis.events import Handler, Malformed, from_json
from chassis.subscriptions import VISIBILITY_SECONDS

_LOG = logging.getLogger(__name__)
MAX_ATTEMPTS = 5
"""So often an event is tried that a handler fails on for an unknown reason."""
_LONGEST_PAUSE = 10.0  # seconds, while something is down


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
        self._queue = queue
        self._handlers = handlers
        self._check = check
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._pool = ThreadPoolExecutor(BATCH, thread_name_prefix="apply")
        self.lag_seconds = 0.0
        """How old the last event was when it was applied; 0 before the first one."""

    def run(self, stop: Flag) -> None:
        """Go on until asked to stop; what was received by then is finished."""
        pause = 0.0
        while not stop.is_set():
            try:
                if pause:
                    self._check()
                if self.once():
                    pause = 0.0
                    continue
            except Unavailable as failure:
                _LOG.warning("events wait in the queue: %s", failure.detail)
            pause = min(_LONGEST_PAUSE, max(pause, 0.25) * 2)
            stop.wait(random.uniform(pause / 2, pause))  # noqa: S311

    def once(self) -> bool:
        """Take one batch and apply it; answers whether everything that is needed was there.

        Raises:
            Unavailable: the queue can't be reached.
        """
        messages = self._queue.receive(self._wait_seconds)
        if not messages:
            return True
        pending = {self._pool.submit(self._apply, message): message for message in messages}
        outcomes = self._finished(pending)
        self._queue.delete([m for m, outcome in outcomes if outcome is _DONE])
        later = [message for message, outcome in outcomes if outcome is _LATER]
        for message in later:
            self._queue.hide([message], min(VISIBILITY_SECONDS, 2 ** min(message.received, 5)))
        return not later

    def _finished(
        self, pending: Mapping["Future[object]", Message]
    ) -> Sequence[tuple[Message, object]]:
        """Wait for the handlers; keep what takes long from being delivered to others meanwhile."""
        left = set(pending)
        while left:
            _, left = wait(left, timeout=VISIBILITY_SECONDS / 2)
            if left:
                self._queue.hide([pending[future] for future in left], VISIBILITY_SECONDS)
        return [(message, future.result()) for future, message in pending.items()]

    def _apply(self, message: Message) -> object:
        began = monotonic()
        try:
            event = from_json(message.body)
            handler = self._handlers.get(event.type)
            if handler is not None:
                handler(event)
        except Malformed as error:
            return self._bury(message, f"malformed: {error}")
        except Unavailable as failure:
            _LOG.info("event %s waits: %s", message.id, failure.detail)
            return _LATER
        except Exception as error:
            _LOG.exception("event %s failed", message.id)
            if message.received < MAX_ATTEMPTS:
                return _LATER
            return self._bury(message, f"{type(error).__name__}: {error}")
        self.lag_seconds = max(0.0, (self._clock() - event.time).total_seconds())
        _LOG.info(
            "applied" if handler else "ignored",
            extra={
                "event_id": event.id,
                "event_type": event.type,
                "subject": event.subject,
                "version": event.version,
                "milliseconds": round((monotonic() - began) * 1000, 1),
                "lag_milliseconds": round(self.lag_seconds * 1000),
            },
        )
        return _DONE

    def _bury(self, message: Message, reason: str) -> object:
        _LOG.error("message %s goes to the dead letters: %s", message.id, reason)
        try:
            self._queue.bury(message, reason)
        except Unavailable:
            return _LATER
        return _BURIED


_DONE, _LATER, _BURIED = "done", "later", "buried"
