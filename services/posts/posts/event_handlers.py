"""Applies what other components tell: who people are by now, and which threads take posts.

Each event may come in any order, any number of times, and at the same moment as others.
"""

from collections.abc import Mapping

from chassis.auth.user_replica import UserData, UserReplica
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.events import Event, EventHandler, parse_data
from posts import events
from posts.dynamodb import tables
from posts.dynamodb.thread_replica import ThreadReplica
from posts.model import FORMER_MEMBER, Thread

POSTS = tables.POSTS.name
LOCATIONS = tables.LOCATIONS.name
PURGE_BATCH = 20
"""So many posts go in one transaction, which may touch 4 MB: the longest are 200 KB each."""


class EventHandlers:
    """Applies events to the service's own tables."""

    def __init__(self, database: Database, outbox: DynamoOutbox) -> None:
        self._db = database
        self._outbox = outbox
        self._people = UserReplica(database, tables.USERS.name, FORMER_MEMBER)
        self._threads = ThreadReplica(database)

    def handlers(self) -> Mapping[str, EventHandler]:
        """Give what applies each type of event."""
        return {
            events.USER_REGISTERED: self._learn,
            events.USER_UPDATED: self._learn,
            events.USER_SUSPENDED: self._learn,
            events.USER_ERASED: self._forget,
            events.THREAD_CREATED: self._keep,
            events.THREAD_UPDATED: self._keep,
            events.THREAD_DELETED: self._purge,
        }

    def _learn(self, event: Event) -> None:
        self._people.store(event, parse_data(UserData, event))

    def _forget(self, event: Event) -> None:
        """Forget an erased person and say so, both or neither, and only once."""
        forgotten = self._outbox.record(events.FORGOTTEN, event.subject, event.version, {})
        try:
            self._db.transact([self._people.tombstone(event), forgotten])
        except TransactionCanceled:
            return  # it was done, and said, before

    def _keep(self, event: Event) -> None:
        told = parse_data(events.ThreadData, event)
        thread = Thread(event.subject, told.title, told.locked, False, event.version)
        self._threads.store(thread, event.id)

    def _purge(self, event: Event) -> None:
        """Let no more posts into a deleted thread, then delete those that are there.

        In this order nobody writes a post behind the purge; and where that breaks off, the event
        comes again and it goes on.
        """
        gone = Thread(event.subject, "", locked=False, deleted=True, version=event.version)
        self._threads.store(gone, event.id)
        while posts := self._db.query(
            POSTS, "thread_id = :gone", limit=PURGE_BATCH, ascending=True, gone=gone.id
        ):
            self._db.transact([action for post in posts for action in self._delete(post)])

    def _delete(self, post: Item) -> list[Action]:
        return [
            self._db.delete(POSTS, {"thread_id": post["thread_id"], "id": post["id"]}),
            self._db.delete(LOCATIONS, {"id": post["id"]}),
        ]
