"""Threads as records, for whoever moves them to the threads service or back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import lazyload

from chassis.clock import Clock, moment, stamp
from chassis.ownership.records import Record
from forum.database import Database
from forum.idempotency import KeptAnswers
from forum.threads.models import ThreadRow
from forum.threads.persistence import bury, put
from forum.users.persistence import stand_in
from forum.users.rules import FORMER_MEMBER


@dataclass(frozen=True)
class ThreadCopies:
    """Threads in the forum's own database: a `chassis.ownership.records.Copy`."""

    database: Database
    clock: Clock

    def page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of threads by id, deleted ones too."""
        query = _known().where(ThreadRow.id > after).order_by(ThreadRow.id).limit(limit)
        with self.database.reading() as session:
            records = [_record(row) for row in session.scalars(query)]
        return records, records[-1]["id"] if len(records) == limit else None

    def read(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read those of some threads that are or were there."""
        with self.database.reading() as session:
            found = session.scalars(_known().where(ThreadRow.id.in_(ids)))
            return {row.id: _record(row) for row in found}

    def unknown(self) -> list[str]:
        """Name the threads of which only posts were told so far."""
        with self.database.reading() as session:
            return list(session.scalars(select(ThreadRow.id).where(ThreadRow.version == 0)))

    def learn(self, records: Sequence[Record]) -> None:
        """Keep what the service knows of its own threads."""
        self.put(records)

    def totals(self) -> tuple[int, int]:
        """Count threads, and sum up their versions."""
        query = select(func.count(), func.coalesce(func.sum(ThreadRow.version), 0))
        with self.database.reading() as session:
            count, versions = session.execute(query.where(ThreadRow.version > 0)).one()
        return int(count), int(versions)

    def put(self, records: Sequence[Record], *, force: bool = False) -> None:
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
                        bury(session, thread_id, version, known.author_id, known.created_at)
                    continue  # of one that never was here, nothing refers to it
                created = moment(record["created_at"])
                stand_in(session, record["author_id"], created, FORMER_MEMBER)
                put(
                    session,
                    thread_id,
                    version,
                    title=record["title"],
                    author_id=record["author_id"],
                    created_at=created,
                    locked=record["locked"],
                )

    def beside(self, since: datetime | None) -> Iterator[list[Record]]:
        """Give answers to idempotency keys."""
        yield from KeptAnswers(self.database, "/api/threads", self.clock).since(since)

    def put_beside(self, records: Sequence[Record]) -> None:
        """Keep answers."""
        KeptAnswers(self.database, "/api/threads", self.clock).put(records)


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
        "created_at": stamp(row.created_at),
        "locked": row.locked,
    }
