"""The outbox in SQL: events in the transaction of what they tell of, until they are published."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Float, Index, String, Text, delete, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from chassis.clock import Clock, NewId
from chassis.messaging.dynamodb_outbox import RETENTION, Heartbeat
from chassis.messaging.events import Event, parse_event
from forum.database import Base, Database, Id, UtcDateTime, insert_into
from forum.ownership.state import OwnershipRegistry

PRIVATE_CHANGE = "touched"
"""The type of an event that is for whoever moves a domain only, and never published."""
REPUBLISH_BATCH = 500
"""So many events a transaction marks to be published again, so that others' writes get through."""
PURGE_BATCH = 200
"""So many events are deleted at a time, at most, after they were kept long enough."""
# The domain that a write changes; that somebody was forgotten changes a copy.
_OF = {
    f"{thing}.{what}": f"{thing}s"
    for thing, happened in {
        "user": ("registered", "updated", "suspended", "erased"),
        "thread": ("created", "updated", "deleted"),
        "post": ("created", "updated", "deleted"),
    }.items()
    for what in happened
}
_WAITING = text("published_at IS NULL")
_TO_COPY = text("to_copy IS NOT NULL")


class OutboxRow(Base):
    """An event; `published_at` is null while it waits."""

    __tablename__ = "outbox"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    event: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    to_copy: Mapped[str | None] = mapped_column(String(16))
    """The domain that is on the move, until whoever moves it has looked at the event."""

    __table_args__ = (
        # These hold only what waits, so they stay small however many events are kept.
        Index("ix_outbox_waiting", "id", postgresql_where=_WAITING, sqlite_where=_WAITING),
        Index(
            "ix_outbox_to_copy", "to_copy", "id", postgresql_where=_TO_COPY, sqlite_where=_TO_COPY
        ),
    )


class WorkerHeartbeat(Base):
    """When the worker was last at work, and how old the newest event was that it applied."""

    __tablename__ = "worker_beats"

    worker: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    lag_seconds: Mapped[float] = mapped_column(Float)


class Recorder(Protocol):
    """Records events in the transaction of what they tell of."""

    def record(
        self, session: Session, kind: str, subject: str, version: int, data: dict[str, Any]
    ) -> None:
        """Record that something happened to `subject`, which is now of this version."""

    def record_private_change(
        self, session: Session, kind: str, subject: str, version: int
    ) -> None:
        """Say only to whoever moves the domain that something changed which is nobody else's."""


class OutboxRecorder:
    """Records events in the outbox, while there is anybody to tell.

    An event of a domain stands for a write of it, so this is also where a write is refused while
    its domain is on its way to another component.
    """

    def __init__(self, source: str, stages: OwnershipRegistry, clock: Clock, new_id: NewId) -> None:
        self._source = f"/{source}"
        self._stages = stages
        self._clock = clock
        self._new_id = new_id

    def record(
        self, session: Session, kind: str, subject: str, version: int, data: dict[str, Any]
    ) -> None:
        """Add an event to the session's transaction.

        Raises:
            Moving: the event's domain may not be written right now.
        """
        domain = _OF.get(kind)
        moves = domain is not None and self._stages.fence_write(session, domain)
        if not self._stages.current().publishes_events:
            return  # one component keeps everything
        event = Event(self._new_id(), kind, self._source, subject, version, self._clock(), data)
        session.add(_row(event, domain if moves else None))

    def record_private_change(
        self, session: Session, kind: str, subject: str, version: int
    ) -> None:
        """Say only to whoever moves the domain that something changed which is nobody else's.

        Raises:
            Moving: the event's domain may not be written right now.
        """
        domain = _OF[kind]
        if self._stages.fence_write(session, domain):
            now = self._clock()
            told = Event(self._new_id(), PRIVATE_CHANGE, self._source, subject, version, now, {})
            row = _row(told, domain)
            row.published_at = now  # as far as others are concerned
            session.add(row)


def _row(event: Event, to_copy: str | None) -> OutboxRow:
    return OutboxRow(id=event.id, event=event.to_json(), recorded_at=event.time, to_copy=to_copy)


class SqlOutbox:
    """The SQL implementation of `chassis.messaging.outbox.Outbox`."""

    def __init__(self, database: Database, clock: Clock, worker: str = "monolith") -> None:
        self._database = database
        self._clock = clock
        self._worker = worker

    def load_unpublished(self, limit: int) -> list[Event]:
        """Give up to `limit` events that were not published yet, older ones first."""
        query = select(OutboxRow.event).where(_WAITING).order_by(OutboxRow.id).limit(limit)
        with self._database.reading() as session:
            return [parse_event(event) for event in session.scalars(query)]

    def mark_published(self, events: Sequence[Event]) -> None:
        """Note that these were published, and delete some that were kept long enough."""
        now = self._clock()
        # Another relay that has just published the same ones marks them as well: not waited for.
        found = (
            select(OutboxRow.id)
            .where(OutboxRow.id.in_([event.id for event in events]))
            .order_by(OutboxRow.id)
            .with_for_update(skip_locked=True)
        )
        outdated = (
            select(OutboxRow.id)
            .where(OutboxRow.published_at < now - RETENTION, OutboxRow.to_copy.is_(None))
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
        """Have all events recorded since then published once more, some hundreds at a time."""
        count, after = 0, ""
        while True:
            found = (
                select(OutboxRow.id)
                .where(OutboxRow.id > after, OutboxRow.recorded_at >= since)
                .where(OutboxRow.event.not_like(f'%"type":"{PRIVATE_CHANGE}"%'))
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
        """Tell when the oldest event that waits to be published was recorded."""
        query = select(OutboxRow.recorded_at).where(_WAITING).order_by(OutboxRow.id).limit(1)
        with self._database.reading() as session:
            return session.scalars(query).one_or_none()

    def record_heartbeat(self, beat: Heartbeat) -> None:
        """Note that the worker is at work."""
        seen = {"at": beat.at, "lag_seconds": beat.lag_seconds}
        with self._database.writing() as session:
            session.execute(
                insert_into(session, WorkerHeartbeat)
                .values(worker=self._worker, **seen)
                .on_conflict_do_update(index_elements=["worker"], set_=seen)
            )

    def last_heartbeat(self) -> Heartbeat | None:
        """Tell when the worker was last at work."""
        with self._database.reading() as session:
            row = session.get(WorkerHeartbeat, self._worker)
            return Heartbeat(row.at, row.lag_seconds) if row else None
