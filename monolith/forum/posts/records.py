"""Posts as records, for whoever moves them to the posts service or back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, func, select, update
from sqlalchemy.orm import lazyload

from chassis.clock import Clock, format_timestamp
from chassis.messaging.events import Event
from chassis.ownership.records import TOMBSTONE, Record
from forum.database import Database
from forum.idempotency import IdempotencyRecords
from forum.posts import events
from forum.posts.models import PostRow
from forum.posts.replica import PostReplica
from forum.threads.models import ThreadRow


@dataclass(frozen=True)
class PostRecords:
    """Posts in the forum's own database: a `chassis.ownership.records.Copy`."""

    database: Database
    clock: Clock
    replica: PostReplica

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of posts by id; those of deleted threads are marked as gone."""
        query = _known().where(PostRow.id > after).order_by(PostRow.id).limit(limit)
        with self.database.reading() as session:
            records = [_record(post, gone) for post, gone in session.execute(query)]
        return records, records[-1]["id"] if len(records) == limit else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read those of some posts that are there."""
        with self.database.reading() as session:
            found = session.execute(_known().where(PostRow.id.in_(ids)))
            return {post.id: _record(post, gone) for post, gone in found}

    def placeholder_ids(self) -> list[str]:
        """Name the posts of which nothing was told so far: there is none, nothing refers to one."""
        return []

    def update_replica(self, records: Sequence[Record]) -> None:
        """Keep what the service knows of its own posts."""
        self.write(records)

    def totals(self) -> tuple[int, int]:
        """Count posts, and sum up their versions."""
        query = select(func.count(), func.coalesce(func.sum(PostRow.version), 0))
        with self.database.reading() as session:
            count, versions = session.execute(query).one()
        return int(count), int(versions)

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Keep posts that the service kept, each unless as new a version is here."""
        apply = self.replica.handlers()[events.UPDATED]
        for record in records:
            if TOMBSTONE in record:
                continue
            if force:
                with self.database.writing() as session:
                    mine = update(PostRow).where(PostRow.id == record["id"])
                    session.execute(mine.values(version=0))
            own = {"id", "version", "html"}
            data = {name: value for name, value in record.items() if name not in own}
            told = (record["id"], record["version"], self.clock(), data)
            apply(Event("", events.UPDATED, "/posts", *told))

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Give answers to idempotency keys."""
        yield from IdempotencyRecords(self.database, "/api/posts", self.clock).read_since(since)

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Keep answers."""
        IdempotencyRecords(self.database, "/api/posts", self.clock).write(records)


def _known() -> Select[PostRow, bool]:
    return (
        # Of version 0 are threads of which nothing was told yet; they are not deleted.
        select(PostRow, and_(ThreadRow.deleted, ThreadRow.version > 0))
        .join(ThreadRow, ThreadRow.id == PostRow.thread_id)
        .options(lazyload(PostRow.author))
    )


def _record(row: PostRow, thread_deleted: bool) -> Record:
    head = {"id": row.id, "version": row.version}
    if thread_deleted:
        return head | {TOMBSTONE: True}
    return head | {
        "thread_id": row.thread_id,
        "author_id": row.author_id,
        "body": row.body,
        "html": row.html,
        "created_at": format_timestamp(row.created_at),
        "edited_at": format_timestamp(row.edited_at) if row.edited_at else None,
        "deleted": row.deleted,
    }
