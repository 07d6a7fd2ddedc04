"""What is known here of threads: a replica that events feed, and calls for what they lack."""

from chassis.auth.user_replica import NEWER
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from posts.dynamodb import tables
from posts.model import Thread

THREADS = tables.THREADS.name


class ThreadReplica:
    """The replica in one of the service's own tables.

    Items are `id`, `version`, `title`, `locked`, `deleted` and, unless a call told of this
    version, `event_id`: that of the event that did. A deleted thread keeps its item, so that what
    was told of it before can't bring it back.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def key(self, thread_id: str) -> tuple[str, dict[str, str]]:
        """Name a thread's item, for `Database.get_each`."""
        return THREADS, {"id": thread_id}

    def parse(self, item: Item | None) -> Thread | None:
        """Read a thread's item; None if there is none, for a thread that is not known."""
        if item is None:
            return None
        return Thread(
            id=item["id"],
            title=item["title"],
            locked=item["locked"],
            deleted=item["deleted"],
            version=item["version"],
        )

    def store(self, thread: Thread, event_id: str | None = None) -> Thread:
        """Keep what was told of a thread unless a newer version is known; answers the newest."""
        item: Item = {
            "id": thread.id,
            "title": thread.title,
            "locked": thread.locked,
            "deleted": thread.deleted,
            "version": thread.version,
        }
        if event_id:
            item["event_id"] = event_id
        try:
            # Not a plain put, which would give up where it meets somebody who is just posting.
            self._db.transact([self._db.put(THREADS, item, NEWER, version=thread.version)])
        except TransactionCanceled:
            return self.parse(self._db.get(*self.key(thread.id))) or thread
        return thread

    def require_open(self, thread_id: str) -> Action:
        """Make the action that refuses a transaction unless a thread is known and open."""
        key = {"id": thread_id}
        return self._db.condition_check(THREADS, key, "locked = :no AND deleted = :no", no=False)
