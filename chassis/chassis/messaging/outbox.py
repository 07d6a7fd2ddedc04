"""What the relay, the worker and the status page need of an outbox, whatever keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.messaging.events import Event

RETENTION = timedelta(days=7)
"""So long a published event stays, to be published again if a queue was lost."""


@dataclass(frozen=True)
class Heartbeat:
    """When a component's worker was last at work, and how old the newest event was it applied."""

    at: datetime
    lag_seconds: float


class Outbox(Protocol):
    """Events written in the same transaction as what they tell of, until published."""

    def load_unpublished(self, limit: int) -> Sequence[Event]:
        """Give some of the events that were not published yet, older ones first."""

    def mark_published(self, events: Sequence[Event]) -> None:
        """Note that these were published; they are kept for `KEPT_FOR`.

        What is gone by now is passed over, or it would be published again for ever.
        """

    def republish_since(self, since: datetime) -> int:
        """Have all events recorded since then published once more; answers how many."""

    def oldest_unpublished_at(self) -> datetime | None:
        """Return when the oldest event that waits to be published was recorded."""

    def record_heartbeat(self, beat: Heartbeat) -> None:
        """Note that the worker is at work."""

    def last_heartbeat(self) -> Heartbeat | None:
        """Return when the worker was last at work."""
