"""A component's worker: the relay and the consumer, side by side in one process."""

import logging
import signal
from threading import Event as Flag
from threading import Thread
from types import FrameType

from chassis.clock import Clock
from chassis.consumer import Consumer
from chassis.errors import Unavailable
from chassis.outbox import Beat, Outbox
from chassis.relay import Relay

_LOG = logging.getLogger(__name__)
BEAT_SECONDS = 2.0


def run(relay: Relay, consumer: Consumer, outbox: Outbox, clock: Clock) -> int:
    """Work until SIGTERM or SIGINT, then finish what is in hand; answers the exit code.

    A part that dies ends the process, for whatever runs it to start it again.
    """
    stop, crashed = Flag(), Flag()

    def asked(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)

    def guarded(part: Relay | Consumer) -> None:
        try:
            part.run(stop)
        except Exception:
            _LOG.exception("a part of the worker died")
            crashed.set()
        finally:
            stop.set()

    threads = [
        Thread(target=guarded, args=(part,), name=type(part).__name__.lower())
        for part in (relay, consumer)
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(BEAT_SECONDS):
        try:
            outbox.beat(Beat(clock(), consumer.lag_seconds))
        except Unavailable as failure:
            _LOG.warning("could not tell that the worker is at work: %s", failure.detail)
    for thread in threads:
        thread.join()
    return 1 if crashed.is_set() else 0
