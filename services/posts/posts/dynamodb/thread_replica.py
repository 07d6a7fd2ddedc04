"""Replica of threads, fed by events, and by requests for threads without an event so far."""

from collections.abc import Iterable

from chassis import codec
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.dynamodb.versioned_items import VersionedItems
from chassis.ownership.records import Record
from posts.dynamodb import tables
from posts.model import Thread


class ThreadReplica:
    """The replica in one of the service's own tables.

    Items hold the fields of `Thread`, with the `event_id` of the event with this version, unless
    it came from a request or a move. A deleted thread keeps its item, so that an older version
    can't restore it.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._items = VersionedItems(database, tables.THREADS.name)
        self.key = self._items.key

    def parse(self, item: Item | None) -> Thread | None:
        """Return the thread of an item; None for a thread that is not known."""
        return codec.from_json(Thread, item) if item else None

    def store(self, thread: Thread, event_id: str | None = None) -> Thread:
        """Store a thread unless a newer version is known, and return the newest."""
        item = codec.to_json(thread) | ({"event_id": event_id} if event_id else {})
        try:
            # Not a plain put, which would fail on a conflict with a new post.
            self._db.transact([self._items.put(item)])
        except TransactionCanceled:
            return self.parse(self._items.get(thread.id)) or thread
        return thread

    def require_open(self, thread_id: str) -> Action:
        """Build the action that cancels a transaction unless a thread is known and open."""
        condition = "locked = :no AND deleted = :no"
        return self._db.condition_check(*self.key(thread_id), condition, no=False)

    def write_records(self, records: Iterable[Record]) -> None:
        """Store threads from their owner's records, unless a newer version is known."""
        for record in records:
            # The record of a deleted thread has no title.
            self.store(codec.from_json(Thread, {"title": "", "locked": False} | record))
