"""Records of posts in the forum's own database, for a move to the posts service or back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import Select, and_, func, select, update
from sqlalchemy.orm import lazyload

from chassis import codec
from chassis.clock import Clock
from chassis.ownership.records import TOMBSTONE, Record
from forum.database import Database, update_version
from forum.idempotency import IdempotencyRecords
from forum.posts.events import event_data
from forum.posts.extracted.replica import PostReplica
from forum.posts.models import PostRow
from forum.posts.state import PostState
from forum.threads.admission import MovedThreadAdmission
from forum.threads.models import ThreadRow
from forum.users.actors import ReplicaActors
from forum.users.persistence import lock_erased


@dataclass(frozen=True)
class PostRecords:
    """Implementation of `forum.ownership.records.MonolithRecordStore`."""

    database: Database
    clock: Clock
    replica: PostReplica

    @classmethod
    def for_move(cls, database: Database, clock: Clock) -> Self:
        """Build the store; users and threads may be copied after their posts."""
        actors, threads = ReplicaActors(clock), MovedThreadAdmission()
        return cls(database, clock, PostReplica(database, lambda: actors, lambda: threads, clock))

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of posts by id; those of deleted threads are tombstones."""
        query = _known().where(PostRow.id > after).order_by(PostRow.id).limit(limit)
        with self.database.reading() as session:
            records = [_record(post, gone) for post, gone in session.execute(query)]
        return records, records[-1]["id"] if len(records) == limit else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read some posts by id; return those that exist."""
        with self.database.reading() as session:
            found = session.execute(_known().where(PostRow.id.in_(ids)))
            return {post.id: _record(post, gone) for post, gone in found}

    def placeholder_ids(self) -> list[str]:
        """Return no id: nothing refers to a post, so there are no placeholders."""
        return []

    def update_replica(self, records: Sequence[Record]) -> None:
        """Store the service's own posts."""
        self.write(records)

    def totals(self) -> tuple[int, int]:
        """Return the number of posts, and the sum of their versions."""
        query = select(func.count(), func.coalesce(func.sum(PostRow.version), 0))
        with self.database.reading() as session:
            count, versions = session.execute(query).one()
        return int(count), int(versions)

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Store posts, each unless the stored version is as new."""
        for record in records:
            if TOMBSTONE in record:
                continue
            if force:
                with self.database.writing() as session:
                    mine = update(PostRow).where(PostRow.id == record["id"])
                    session.execute(mine.values(version=0))
            state = codec.from_json(PostState, record)
            self.replica.store(record["id"], record["version"], state)

    def raise_version(self, record: Record, version: int) -> bool:
        """Raise the version of a post, unless it changed since it was read."""
        with self.database.writing() as session:
            return update_version(session, PostRow, record, {"version": version})

    def recount(self, thread_ids: Sequence[str], *, repair: bool) -> dict[str, str]:
        """Compare the counts of threads with their posts; return what differs, by thread.

        `repair` corrects the counts, unless they change meanwhile.
        """
        counted = func.count(PostRow.id)
        query = (
            select(ThreadRow.id, ThreadRow.post_count, counted)
            .outerjoin(PostRow, and_(PostRow.thread_id == ThreadRow.id, PostRow.deleted.is_(False)))
            .where(ThreadRow.id.in_(thread_ids), ThreadRow.deleted.is_(False))
            .group_by(ThreadRow.id, ThreadRow.post_count)
            .having(ThreadRow.post_count != counted)
        )
        with self.database.reading() as session:
            wrong = session.execute(query).all()
        if repair:
            for thread_id, seen, right in wrong:
                with self.database.writing() as session:
                    mine = ThreadRow.id == thread_id, ThreadRow.post_count == seen
                    session.execute(update(ThreadRow).where(*mine).values(post_count=right))
        return {one: f"post_count is {seen}, not {right}" for one, seen, right in wrong}

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Read responses to idempotency keys."""
        yield from self._responses().read_since(since)

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Store responses to idempotency keys."""
        self._responses().write(records)

    def _responses(self) -> IdempotencyRecords:
        return IdempotencyRecords(self.database, "/api/posts", self.clock, lock_erased)


def _known() -> Select[PostRow, bool]:
    return (
        # Placeholders of threads have version 0; they are not deleted.
        select(PostRow, and_(ThreadRow.deleted, ThreadRow.version > 0))
        .join(ThreadRow, ThreadRow.id == PostRow.thread_id)
        .options(lazyload(PostRow.author))
    )


def _record(row: PostRow, thread_deleted: bool) -> Record:
    head = {"id": row.id, "version": row.version}
    if thread_deleted:
        return head | {TOMBSTONE: True}
    return head | event_data(row) | {"html": row.html}
