"""Recording of events in the outbox, with fencing of their writes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from chassis.clock import Clock, NewId
from chassis.messaging.events import Event
from forum.outbox import outbox_row
from forum.ownership.state import OwnershipRegistry


class OutboxRecorder:
    """Implementation of `forum.outbox.Recorder`.

    Each event corresponds to a write of its domain. So this class also refuses writes while the
    domain is frozen or owned by another component.
    """

    def __init__(
        self,
        source: str,
        domain_of_type: Mapping[str, str | None],
        registry: OwnershipRegistry,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        """Create a recorder; `domain_of_type` is None for event types without a write."""
        self._source = f"/{source}"
        self._domain_of_type = domain_of_type
        self._registry = registry
        self._clock = clock
        self._new_id = new_id

    def record(
        self, session: Session, kind: str, subject: str, version: int, data: dict[str, Any]
    ) -> None:
        """Add an event to the session's transaction, if another component consumes it.

        Raises:
            CutoverInProgress: the event's domain may not be written right now.
            ValueError: no domain declares the type. An extraction follows the declared events, so
                it would miss this one.
        """
        domain = self._domain_of(kind)
        moving = domain is not None and self._registry.fence_write(session, domain)
        if not self._registry.current().publishes_events:
            return
        event = Event(self._new_id(), kind, self._source, subject, version, self._clock(), data)
        session.add(outbox_row(event, domain if moving else None))

    def _domain_of(self, kind: str) -> str | None:
        if kind not in self._domain_of_type:
            message = f"no domain declares events of the type {kind}"
            raise ValueError(message)
        return self._domain_of_type[kind]
