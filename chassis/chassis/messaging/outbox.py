"""The outbox port: used by relay, worker and status page, independent of the datastore.

Services implement it in `chassis.messaging.dynamodb_outbox`, the monolith in `forum.outbox`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.messaging.events import Event

RETENTION = timedelta(days=7)
"""Retention of published events, for replays after the loss of a queue."""


@dataclass(frozen=True)
class Heartbeat:
    """The time of a worker's heartbeat, and the lag of the last event it applied."""

    at: datetime
    lag_seconds: float


class Outbox(Protocol):
    """Events written in the same transaction as the change they describe."""

    def load_unpublished(self, limit: int) -> Sequence[Event]:
        """Return some of the unpublished events, oldest first."""

    def mark_published(self, events: Sequence[Event]) -> None:
        """Mark events as published; they are kept for `RETENTION`.

        Events that no longer exist are skipped; they would be published again forever.
        """

    def republish_since(self, since: datetime) -> int:
        """Mark all events recorded since then for republishing; return their number."""

    def oldest_unpublished_at(self) -> datetime | None:
        """Return when the oldest unpublished event was recorded."""

    def record_heartbeat(self, beat: Heartbeat) -> None:
        """Record the worker's heartbeat."""

    def last_heartbeat(self) -> Heartbeat | None:
        """Return the worker's last heartbeat."""
