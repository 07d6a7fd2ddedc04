"""The outbox in SQL: events in the transaction of what they tell of, until they are published."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Float, Index, String, Text, delete, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from chassis.clock import Clock, NewId
from chassis.events import Event, from_json
from chassis.outbox import KEPT_FOR, Beat
from forum.database import Base, Database, Id, Moment, insert_into

REPLAYED = 500
"""So many events a transaction marks to be published again, so that others' writes get through."""
OUTDATED = 200
"""So many events are deleted at a time, at most, after they were kept long enough."""
_WAITING = text("published_at IS NULL")


class OutboxRow(Base):
    """An event; `published_at` is null while it waits."""

    __tablename__ = "outbox"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    event: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(Moment)
    published_at: Mapped[datetime | None] = mapped_column(Moment, index=True)

    __table_args__ = (
        # Holds only what waits, so it stays small however many events are kept.
        Index("ix_outbox_waiting", "id", postgresql_where=_WAITING, sqlite_where=_WAITING),
    )


class WorkerBeat(Base):
    """When the worker was last at work, and how old the newest event was that it applied."""

    __tablename__ = "worker_beats"

    worker: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    lag_seconds: Mapped[float] = mapped_column(Float)


class Recorder(Protocol):
    """Records events in the transaction of what they tell of."""

    def record(
        self, session: Session, kind: str, subject: str, version: int, data: dict[str, Any]
    ) -> None:
        """Record that something happened to `subject`, which is now of this version."""


class NothingRecorded:
    """Records nothing: there is nobody to tell while one component keeps everything."""

    def record(
        self, session: Session, kind: str, subject: str, version: int, data: dict[str, Any]
    ) -> None:
        """Let it pass."""


class OutboxRecorder:
    """Records events in the outbox."""

    def __init__(self, source: str, clock: Clock, new_id: NewId) -> None:
        self._source = f"/{source}"
        self._clock = clock
        self._new_id = new_id

    def record(
        self, session: Session, kind: str, subject: str, version: int, data: dict[str, Any]
    ) -> None:
        """Add an event to the session's transaction."""
        event = Event(self._new_id(), kind, self._source, subject, version, self._clock(), data)
        session.add(OutboxRow(id=event.id, event=event.to_json(), recorded_at=event.time))


class SqlOutbox:
    """What the relay and the worker need of the outbox: a `chassis.outbox.Outbox`."""

    def __init__(self, database: Database, clock: Clock, worker: str = "monolith") -> None:
        self._database = database
        self._clock = clock
        self._worker = worker

    def pending(self, limit: int) -> list[Event]:
        """Give up to `limit` events that were not published yet, older ones first."""
        query = select(OutboxRow.event).where(_WAITING).order_by(OutboxRow.id).limit(limit)
        with self._database.reading() as session:
            return [from_json(event) for event in session.scalars(query)]

    def published(self, events: Sequence[Event]) -> None:
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
            .where(OutboxRow.published_at < now - KEPT_FOR)
            .order_by(OutboxRow.published_at)
            .limit(OUTDATED)
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

    def again(self, since: datetime) -> int:
        """Have all events recorded since then published once more, some hundreds at a time."""
        count, after = 0, ""
        while True:
            found = (
                select(OutboxRow.id)
                .where(OutboxRow.id > after, OutboxRow.recorded_at >= since)
                .order_by(OutboxRow.id)
                .limit(REPLAYED)
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

    def oldest(self) -> datetime | None:
        """Tell when the oldest event that waits to be published was recorded."""
        query = select(OutboxRow.recorded_at).where(_WAITING).order_by(OutboxRow.id).limit(1)
        with self._database.reading() as session:
            return session.scalars(query).one_or_none()

    def beat(self, beat: Beat) -> None:
        """Note that the worker is at work."""
        seen = {"at": beat.at, "lag_seconds": beat.lag_seconds}
        with self._database.writing() as session:
            session.execute(
                insert_into(session, WorkerBeat)
                .values(worker=self._worker, **seen)
                .on_conflict_do_update(index_elements=["worker"], set_=seen)
            )

    def last_beat(self) -> Beat | None:
        """Tell when the worker was last at work."""
        with self._database.reading() as session:
            row = session.get(WorkerBeat, self._worker)
            return Beat(row.at, row.lag_seconds) if row else None
