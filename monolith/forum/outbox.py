"""The transactional outbox in SQL: each event is written in the transaction of its change."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Float, Index, String, Text, delete, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from chassis.clock import Clock
from chassis.messaging.events import Event, parse_event
from chassis.messaging.outbox import RETENTION, Heartbeat
from forum.database import Base, Database, Id, UtcDateTime, insert_into

REPUBLISH_BATCH = 500
"""Events marked per transaction for republishing, so that other writes are not blocked."""
PURGE_BATCH = 200
"""Maximum number of expired events deleted at a time."""
_WAITING = text("published_at IS NULL")
_UNCOPIED = text("to_copy IS NOT NULL")


class OutboxRow(Base):
    """An event; `published_at` is null until it is published."""

    __tablename__ = "outbox"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    event: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    uncopied_domain: Mapped[str | None] = mapped_column("to_copy", String(16))
    """The domain that is moving, until the extraction has copied the change."""

    __table_args__ = (
        # These contain unpublished events only, so they stay small however many events are stored.
        Index("ix_outbox_waiting", "id", postgresql_where=_WAITING, sqlite_where=_WAITING),
        Index(
            "ix_outbox_to_copy", "to_copy", "id", postgresql_where=_UNCOPIED, sqlite_where=_UNCOPIED
        ),
    )


class WorkerHeartbeat(Base):
    """The time of the worker's last heartbeat, and the lag of the last event that it applied."""

    __tablename__ = "worker_beats"

    worker: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    lag_seconds: Mapped[float] = mapped_column(Float)


class Recorder(Protocol):
    """Recorder of events, in the transaction of their change."""

    def record(
        self, session: Session, kind: str, subject: str, version: int, data: dict[str, Any]
    ) -> None:
        """Record an event about `subject`, which now has this version."""


def outbox_row(event: Event, uncopied_domain: str | None = None) -> OutboxRow:
    """Build the row of an event; a move of `uncopied_domain` has to copy what it describes."""
    return OutboxRow(
        id=event.id,
        event=event.to_json(),
        recorded_at=event.time,
        uncopied_domain=uncopied_domain,
    )


class SqlOutbox:
    """Implementation of `chassis.messaging.outbox.Outbox`."""

    def __init__(self, database: Database, clock: Clock, worker: str = "monolith") -> None:
        self._database = database
        self._clock = clock
        self._worker = worker

    def load_unpublished(self, limit: int) -> list[Event]:
        """Return up to `limit` unpublished events, oldest first."""
        query = select(OutboxRow.event).where(_WAITING).order_by(OutboxRow.id).limit(limit)
        with self._database.reading() as session:
            return [parse_event(event) for event in session.scalars(query)]

    def mark_published(self, events: Sequence[Event]) -> None:
        """Mark events as published, and delete some expired ones."""
        now = self._clock()
        # Another relay may be marking the same events; this does not wait for it.
        found = (
            select(OutboxRow.id)
            .where(OutboxRow.id.in_([event.id for event in events]))
            .order_by(OutboxRow.id)
            .with_for_update(skip_locked=True)
        )
        outdated = (
            select(OutboxRow.id)
            .where(OutboxRow.published_at < now - RETENTION, OutboxRow.uncopied_domain.is_(None))
            .order_by(OutboxRow.published_at)
            .limit(PURGE_BATCH)
            .with_for_update(skip_locked=True)
        )
        with self._database.writing() as session:
            marked = update(OutboxRow).where(OutboxRow.id.in_(session.scalars(found).all()))
            session.execute(
                marked.values(published_at=now).execution_options(synchronize_session=False)
            )
            old = session.scalars(outdated).all()
            if old:
                session.execute(delete(OutboxRow).where(OutboxRow.id.in_(old)))

    def republish_since(self, since: datetime) -> int:
        """Mark all events recorded since then for republishing; return their number."""
        count, after = 0, ""
        while True:
            found = (
                select(OutboxRow.id)
                .where(OutboxRow.id > after, OutboxRow.recorded_at >= since)
                .order_by(OutboxRow.id)
                .limit(REPUBLISH_BATCH)
                .with_for_update()
            )
            with self._database.writing() as session:
                ids = session.scalars(found).all()
                if not ids:
                    return count
                waiting = update(OutboxRow).where(OutboxRow.id.in_(ids)).values(published_at=None)
                session.execute(waiting.execution_options(synchronize_session=False))
            count += len(ids)
            after = ids[-1]

    def oldest_unpublished_at(self) -> datetime | None:
        """Return when the oldest unpublished event was recorded."""
        query = select(OutboxRow.recorded_at).where(_WAITING).order_by(OutboxRow.id).limit(1)
        with self._database.reading() as session:
            return session.scalars(query).one_or_none()

    def record_heartbeat(self, beat: Heartbeat) -> None:
        """Store the worker's heartbeat."""
        seen = {"at": beat.at, "lag_seconds": beat.lag_seconds}
        with self._database.writing() as session:
            session.execute(
                insert_into(session, WorkerHeartbeat)
                .values(worker=self._worker, **seen)
                .on_conflict_do_update(index_elements=["worker"], set_=seen)
            )

    def last_heartbeat(self) -> Heartbeat | None:
        """Return the worker's last heartbeat."""
        with self._database.reading() as session:
            row = session.get(WorkerHeartbeat, self._worker)
            return Heartbeat(row.at, row.lag_seconds) if row else None
