"""The relay: publishes the events of the outbox, and marks them as published."""

import logging
import random
from threading import Event as Flag

from chassis.errors import Unavailable
from chassis.messaging.outbox import Outbox
from chassis.messaging.sns_topic import Topic

_LOG = logging.getLogger(__name__)
BATCH = 25
"""Events per read; a sharded outbox returns as many per shard."""
_MIN_INTERVAL, _MAX_INTERVAL = (
    0.1,
    1.0,
)  # seconds between polls: after one that found events, and at most
_MAX_BACKOFF = 10.0  # seconds, while something is down


class Relay:
    """Relay from an outbox to the topic, at least once per event; several may run concurrently."""

    def __init__(self, outbox: Outbox, topic: Topic) -> None:
        self._outbox = outbox
        self._topic = topic

    def run(self, stop: Flag) -> None:
        """Publish until `stop` is set; retry outages with increasing pauses."""
        pause = _MIN_INTERVAL
        while not stop.is_set():
            try:
                count = self.publish_pending()
                if count >= BATCH:
                    continue  # more events are waiting
                pause = _MIN_INTERVAL if count else min(_MAX_INTERVAL, pause * 1.5)
            except Unavailable as failure:
                pause = min(_MAX_BACKOFF, max(pause, 0.5) * 2)
                _LOG.warning("events wait in the outbox: %s", failure.detail)
            stop.wait(random.uniform(pause / 2, pause))  # noqa: S311

    def publish_pending(self) -> int:
        """Publish one batch of waiting events; return the number of those published.

        Raises:
            Unavailable: the outbox or the topic can't be reached.
        """
        events = self._outbox.load_unpublished(BATCH)
        if not events:
            return 0
        # Published first: a duplicate event does no harm, a lost event would.
        taken = self._topic.publish(events)
        if len(taken) < len(events):
            _LOG.warning("%d events were not taken and wait", len(events) - len(taken))
        if taken:
            self._outbox.mark_published(taken)
        return len(taken)
