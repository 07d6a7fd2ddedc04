"""Handlers of other components' events: they feed the replicas of users and of threads.

Events may come in any order, any number of times, and at the same time as others.
"""

from collections.abc import Mapping
from contextlib import suppress

from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.idempotency.store import delete_responses
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.events import Event, EventHandler, parse_data
from posts import events
from posts.dynamodb import tables
from posts.dynamodb.thread_replica import ThreadReplica
from posts.dynamodb.user_replica import UserReplica
from posts.model import Thread

POSTS = tables.POSTS.name
LOCATIONS = tables.LOCATIONS.name
PURGE_BATCH = 20
"""Posts per transaction, whose limit is 4 MB; the longest posts have 200 KB."""


class EventHandlers:
    """Handlers that apply events to the service's own tables."""

    def __init__(self, database: Database, outbox: DynamoOutbox) -> None:
        self._db = database
        self._outbox = outbox
        self._users = UserReplica(database)
        self._threads = ThreadReplica(database)

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each event type."""
        return {
            events.USER_REGISTERED: self._users.apply,
            events.USER_UPDATED: self._users.apply,
            events.USER_SUSPENDED: self._users.apply,
            events.USER_ERASED: self._forget_user,
            events.THREAD_CREATED: self._store_thread,
            events.THREAD_UPDATED: self._store_thread,
            events.THREAD_DELETED: self._purge_thread,
        }

    def _forget_user(self, event: Event) -> None:
        """Forget an erased user and confirm it, both or neither, and only once."""
        delete_responses(self._db, tables.IDEMPOTENCY.name, event.subject)
        forgotten = self._outbox.record(events.FORGOTTEN, event.subject, event.version, {})
        with suppress(TransactionCanceled):  # forgotten and confirmed before
            self._db.transact([self._users.tombstone(event), forgotten])
        # Again: until the tombstone was there, a move could bring some from the monolith.
        delete_responses(self._db, tables.IDEMPOTENCY.name, event.subject)

    def _store_thread(self, event: Event) -> None:
        data = parse_data(events.ThreadData, event)
        thread = Thread(event.subject, data.title, data.locked, False, event.version)
        self._threads.store(thread, event.id)

    def _purge_thread(self, event: Event) -> None:
        """Close a deleted thread, then delete its posts.

        In this order, no post is added after the purge. If the purge is interrupted, the event is
        delivered again and the purge continues.
        """
        deleted = Thread(event.subject, "", locked=False, deleted=True, version=event.version)
        self._threads.store(deleted, event.id)
        while posts := self._db.query(
            POSTS, "thread_id = :thread", limit=PURGE_BATCH, ascending=True, thread=deleted.id
        ):
            self._db.transact([action for post in posts for action in self._delete(post)])

    def _delete(self, post: Item) -> list[Action]:
        return [
            self._db.delete(POSTS, {"thread_id": post["thread_id"], "id": post["id"]}),
            self._db.delete(LOCATIONS, {"id": post["id"]}),
        ]
