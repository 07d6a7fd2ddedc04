"""A component's worker: relay and consumer in one process."""

import logging
import signal
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread
from types import FrameType

from chassis import healthcheck
from chassis.clock import Clock
from chassis.errors import Unavailable
from chassis.messaging.aws_clients import sns_client
from chassis.messaging.consumer import Consumer
from chassis.messaging.events import EventHandler
from chassis.messaging.outbox import Heartbeat, Outbox
from chassis.messaging.relay import Relay
from chassis.messaging.sns_topic import Topic
from chassis.messaging.sqs_queue import component_queue
from chassis.settings import BusSettings

_LOG = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 2.0
REPORT_SECONDS = 60.0
_STOP, _CRASH = 0, 1


def main(
    settings: BusSettings,
    outbox: Outbox,
    handlers: Mapping[str, EventHandler],
    check: Callable[[], None],
    clock: Clock,
) -> int:
    """Build relay and consumer, and run them until a signal arrives."""
    wait = settings.events_wait_seconds
    relay = Relay(outbox, Topic(sns_client(), settings.events_topic_arn))
    consumer = Consumer(component_queue(settings, wait), handlers, check, clock, wait)
    return run(relay, consumer, outbox, clock)


def run(relay: Relay, consumer: Consumer, outbox: Outbox, clock: Clock) -> int:
    """Run until SIGTERM or SIGINT, then finish messages in flight; return the exit code.

    If relay or consumer fails, the process ends with 1, so that it is restarted.
    """
    stop = Flag()
    # Signals the end: unlike an Event's, its lock is safe in a signal handler.
    ends: SimpleQueue[int] = SimpleQueue()

    def asked(_number: int, _frame: FrameType | None) -> None:
        ends.put(_STOP)

    def guarded(part: Relay | Consumer) -> None:
        try:
            part.run(stop)
        except BaseException:
            _LOG.exception("the %s died", type(part).__name__.lower())
            ends.put(_CRASH)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    threads = [
        Thread(target=guarded, args=(part,), name=type(part).__name__.lower())
        for part in (relay, consumer)
    ]
    for thread in threads:
        thread.start()
    _LOG.info("the worker has started")
    try:
        code = _heartbeat_until_stopped(ends, consumer, outbox, clock)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    while not ends.empty():
        code = max(code, ends.get())
    _LOG.info("the worker has stopped")
    return code


def _heartbeat_until_stopped(
    ends: SimpleQueue[int], consumer: Consumer, outbox: Outbox, clock: Clock
) -> int:
    reported = float("-inf")
    while True:
        # Of the process: a worker whose database is down for a while is not replaced for it.
        healthcheck.record_heartbeat()
        try:
            outbox.record_heartbeat(Heartbeat(clock(), consumer.lag_seconds))
            if time.monotonic() - reported >= REPORT_SECONDS:
                report_outbox_age(outbox, clock)
                reported = time.monotonic()
        except Unavailable as failure:
            _LOG.warning("could not record the worker heartbeat: %s", failure.detail)
        try:
            return ends.get(timeout=HEARTBEAT_SECONDS)
        except Empty:
            continue


def report_outbox_age(outbox: Outbox, clock: Clock) -> None:
    """Log the age of the oldest unpublished event, 0 without one.

    Metrics and alarms are derived from this line.
    """
    oldest = outbox.oldest_unpublished_at()
    waited = max(0.0, (clock() - oldest).total_seconds()) if oldest else 0.0
    _LOG.info("the outbox", extra={"outbox_age_seconds": round(waited, 3)})
