"""Threads as records, for whoever moves them to the threads service or back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import lazyload

from chassis.clock import Clock, format_timestamp, parse_timestamp
from chassis.ownership.records import Record
from forum.database import Database
from forum.idempotency import IdempotencyRecords
from forum.threads.models import ThreadRow
from forum.threads.persistence import mark_deleted, upsert
from forum.users.persistence import insert_placeholder
from forum.users.rules import FORMER_MEMBER


@dataclass(frozen=True)
class ThreadRecords:
    """Threads in the forum's own database: a `chassis.ownership.records.Copy`."""

    database: Database
    clock: Clock

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of threads by id, deleted ones too."""
        query = _known().where(ThreadRow.id > after).order_by(ThreadRow.id).limit(limit)
        with self.database.reading() as session:
            records = [_record(row) for row in session.scalars(query)]
        return records, records[-1]["id"] if len(records) == limit else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read those of some threads that are or were there."""
        with self.database.reading() as session:
            found = session.scalars(_known().where(ThreadRow.id.in_(ids)))
            return {row.id: _record(row) for row in found}

    def placeholder_ids(self) -> list[str]:
        """Name the threads of which only posts were told so far."""
        with self.database.reading() as session:
            return list(session.scalars(select(ThreadRow.id).where(ThreadRow.version == 0)))

    def update_replica(self, records: Sequence[Record]) -> None:
        """Keep what the service knows of its own threads."""
        self.write(records)

    def totals(self) -> tuple[int, int]:
        """Count threads, and sum up their versions."""
        query = select(func.count(), func.coalesce(func.sum(ThreadRow.version), 0))
        with self.database.reading() as session:
            count, versions = session.execute(query.where(ThreadRow.version > 0)).one()
        return int(count), int(versions)

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Keep threads that the service kept, each unless as new a version is here."""
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
                        mark_deleted(session, thread_id, version, known.author_id, known.created_at)
                    continue  # of one that never was here, nothing refers to it
                created = parse_timestamp(record["created_at"])
                insert_placeholder(session, record["author_id"], created, FORMER_MEMBER)
                upsert(
                    session,
                    thread_id,
                    version,
                    title=record["title"],
                    author_id=record["author_id"],
                    created_at=created,
                    locked=record["locked"],
                )

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Give answers to idempotency keys."""
        yield from IdempotencyRecords(self.database, "/api/threads", self.clock).read_since(since)

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Keep answers."""
        IdempotencyRecords(self.database, "/api/threads", self.clock).write(records)


def _known() -> Select[ThreadRow]:
    # Of version 0 are those of which only a post was told.
    return select(ThreadRow).options(lazyload(ThreadRow.author)).where(ThreadRow.version > 0)


def _record(row: ThreadRow) -> Record:
    head = {"id": row.id, "version": row.version, "deleted": row.deleted}
    if row.deleted:
        return head
    return head | {
        "title": row.title,
        "author_id": row.author_id,
        "created_at": format_timestamp(row.created_at),
        "locked": row.locked,
    }
