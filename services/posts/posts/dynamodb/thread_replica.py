"""Replica of threads, fed by events, and by requests for threads without an event so far."""

from collections.abc import Sequence
from datetime import datetime

from chassis import codec
from chassis.clock import format_timestamp
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.dynamodb.versioned_items import NEWER, VersionedItems
from chassis.ownership.records import Record
from posts.dynamodb import tables
from posts.model import Thread


class ThreadReplica:
    """The replica in one of the service's own tables.

    Items hold the fields of `Thread`, with the `event_id` of the event with this version, unless
    it came from a request or a move. A deleted thread keeps its item, so that an older version
    can't restore it. `newest_post_at` is written with each post, and absent before the first one
    that was written here.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._items = VersionedItems(database, tables.THREADS.name)
        self.key = self._items.key
        self.read_page, self.read_copies = self._items.read_page, self._items.read_copies

    def parse(self, item: Item | None) -> Thread | None:
        """Return the thread of an item; None for a thread that is not known."""
        return codec.from_json(Thread, item) if item else None

    def store(self, thread: Thread, event_id: str | None = None) -> Thread:
        """Store a thread unless a newer version is known, and return the newest."""
        state = codec.to_json(thread) | ({"event_id": event_id} if event_id else {})
        del state["id"], state["newest_post_at"]
        table, key = self.key(thread.id)
        removed = () if event_id else ("event_id",)
        version = thread.version
        write = self._db.update_fields(table, key, state, NEWER, remove=removed, version=version)
        try:
            # In a transaction, because a plain update would fail on a conflict with a new post.
            self._db.transact([write])
        except TransactionCanceled:
            return self.parse(self._items.get(thread.id)) or thread
        return thread

    def record_post(self, thread_id: str, created_at: datetime) -> Action:
        """Build the action that records a post's time, and cancels its transaction unless open.

        It costs what a mere check of the thread would. Posts that are written at the same time may
        record theirs in either order: a condition on it would refuse the slower of them.
        """
        change, condition = "SET newest_post_at = :at", "locked = :no AND deleted = :no"
        at = format_timestamp(created_at)
        return self._db.update(*self.key(thread_id), change, condition, at=at, no=False)

    def project(self, record: Record) -> Record:
        """Return what events change in the item of a thread, from its owner's record."""
        # The record of a deleted thread has no title.
        full = {"title": "", "locked": False} | record
        return {name: full[name] for name in ("id", "version", "title", "locked", "deleted")}

    def write_records(self, records: Sequence[Record]) -> None:
        """Store threads from their owner's records, unless a newer version is known."""
        for record in records:
            self.store(codec.from_json(Thread, self.project(record)))
