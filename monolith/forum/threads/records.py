"""Records of threads in the forum's own database, for a move to the threads service or back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import lazyload

from chassis import codec
from chassis.clock import Clock
from chassis.ownership.records import Record
from forum.database import Database, update_version
from forum.idempotency import IdempotencyRecords
from forum.threads.events import event_data
from forum.threads.models import ThreadRow
from forum.threads.persistence import mark_deleted, upsert
from forum.threads.state import DeletedThreadState, ThreadState
from forum.users.persistence import insert_placeholder, lock_erased
from forum.users.rules import FORMER_MEMBER


@dataclass(frozen=True)
class ThreadRecords:
    """Implementation of `forum.ownership.records.MonolithRecordStore`."""

    database: Database
    clock: Clock

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of threads by id, deleted ones too."""
        query = _known().where(ThreadRow.id > after).order_by(ThreadRow.id).limit(limit)
        with self.database.reading() as session:
            records = [_record(row) for row in session.scalars(query)]
        return records, records[-1]["id"] if len(records) == limit else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read some threads by id; return those that exist or existed."""
        with self.database.reading() as session:
            found = session.scalars(_known().where(ThreadRow.id.in_(ids)))
            return {row.id: _record(row) for row in found}

    def placeholder_ids(self) -> list[str]:
        """Return the ids of threads that are only known from posts."""
        with self.database.reading() as session:
            return list(session.scalars(select(ThreadRow.id).where(ThreadRow.version == 0)))

    def update_replica(self, records: Sequence[Record]) -> None:
        """Store the service's own threads."""
        self.write(records)

    def totals(self) -> tuple[int, int]:
        """Return the number of threads, and the sum of their versions."""
        query = select(func.count(), func.coalesce(func.sum(ThreadRow.version), 0))
        with self.database.reading() as session:
            count, versions = session.execute(query.where(ThreadRow.version > 0)).one()
        return int(count), int(versions)

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Store threads, each unless the stored version is as new."""
        for record in records:
            thread_id, version = record["id"], record["version"]
            with self.database.writing() as session:
                known = session.get(ThreadRow, thread_id, options=[lazyload(ThreadRow.author)])
                if force:
                    mine = update(ThreadRow).where(ThreadRow.id == thread_id)
                    session.execute(mine.values(version=0))
                    session.expire_all()
                if record["deleted"]:
                    if known is not None:
                        deleted = codec.attributes(known, DeletedThreadState)
                        state = DeletedThreadState(**deleted)
                        mark_deleted(session, thread_id, version, state, self.clock())
                    continue  # nothing refers to a thread that never existed here
                content = codec.from_json(ThreadState, record)
                insert_placeholder(session, content.author_id, content.created_at, FORMER_MEMBER)
                upsert(session, thread_id, version, content, self.clock())

    def raise_version(self, record: Record, version: int) -> bool:
        """Raise the version of a thread, unless it changed since it was read."""
        with self.database.writing() as session:
            return update_version(session, ThreadRow, record, {"version": version})

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Read responses to idempotency keys."""
        yield from self._responses().read_since(since)

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Store responses to idempotency keys."""
        self._responses().write(records)

    def _responses(self) -> IdempotencyRecords:
        return IdempotencyRecords(self.database, "/api/threads", self.clock, lock_erased)


def _known() -> Select[ThreadRow]:
    # Threads that are only known from a post have version 0.
    return select(ThreadRow).options(lazyload(ThreadRow.author)).where(ThreadRow.version > 0)


def _record(row: ThreadRow) -> Record:
    head = {"id": row.id, "version": row.version, "deleted": row.deleted}
    return head if row.deleted else head | event_data(row)
