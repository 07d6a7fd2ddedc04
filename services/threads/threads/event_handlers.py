"""Handlers of other components' events: they feed the replica of users and count posts.

Events may come in any order, any number of times, and at the same time as others.
"""

from collections.abc import Mapping
from contextlib import suppress

from chassis.clock import Clock, format_timestamp, utc_now
from chassis.dynamodb.database import Database, TransactionCanceled
from chassis.idempotency.store import delete_responses
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.events import Event, EventHandler, parse_data
from chassis.ownership.state import OwnershipStore, State, cutover_in_progress
from threads import events
from threads.dynamodb import tables
from threads.dynamodb.post_counter import CountedPost, PostCounter, UnknownThread
from threads.dynamodb.user_replica import UserReplica


class EventHandlers:
    """Handlers that apply events to the service's own tables."""

    def __init__(
        self,
        database: Database,
        outbox: DynamoOutbox,
        ownership: OwnershipStore | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._db = database
        self._outbox = outbox
        self._ownership = ownership
        self._users = UserReplica(database)
        self._posts = PostCounter(database, clock)

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each event type."""
        return {
            events.USER_REGISTERED: self._users.apply,
            events.USER_UPDATED: self._users.apply,
            events.USER_SUSPENDED: self._users.apply,
            events.USER_ERASED: self._forget_user,
            events.POST_CREATED: self._count_post,
            events.POST_UPDATED: self._count_post,
            events.POST_DELETED: self._count_post,
        }

    def _forget_user(self, event: Event) -> None:
        """Forget an erased user and confirm it, both or neither, and only once."""
        delete_responses(self._db, tables.IDEMPOTENCY.name, event.subject)
        forgotten = self._outbox.record(events.FORGOTTEN, event.subject, event.version, {})
        with suppress(TransactionCanceled):  # forgotten and confirmed before
            self._db.transact([self._users.tombstone(event), forgotten])
        # Again: until the tombstone was there, a move could bring some from the monolith.
        delete_responses(self._db, tables.IDEMPOTENCY.name, event.subject)

    def _count_post(self, event: Event) -> None:
        data = parse_data(events.PostData, event)
        created_at = format_timestamp(data.created_at)
        post = CountedPost(event.subject, event.version, data.deleted, created_at, event.id)
        try:
            self._posts.count(data.thread_id, [post])
        except UnknownThread:
            if self._ownership and self._ownership.current().state == State.CLOSED:
                # The thread has not moved here yet.
                raise cutover_in_progress() from None
            raise
