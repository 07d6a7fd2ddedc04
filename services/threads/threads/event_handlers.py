"""Applies what other components tell: who people are by now, and which posts a thread has.

Each event may come in any order, any number of times, and at the same moment as others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chassis.auth.user_replica import UserData, UserReplica
from chassis.clock import format_timestamp
from chassis.concurrency import retry_on_conflict
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.events import Event, EventHandler, parse_data
from chassis.ownership.state import CLOSED, OwnershipStore, cutover_in_progress
from threads import events
from threads.dynamodb import tables
from threads.model import FORMER_MEMBER

THREADS = tables.THREADS.name
TALLY = tables.TALLY.name
# Only a thread that is not deleted has a count.
LIVE = "attribute_exists(post_count)"
UNCHANGED = "attribute_not_exists(version) OR version = :known"


class UnknownThread(Exception):
    """A post was written in a thread that never was here."""


class ConcurrentCount(Exception):
    """Somebody else counted in the thread, or deleted it, since it was read."""


@dataclass(frozen=True)
class CountedPost:
    """A version of a post, to be counted in its thread; `event_id` is that of the event that told.

    `created_at` is written as `chassis.clock.stamp` does.
    """

    id: str
    version: int
    deleted: bool
    created_at: str
    event_id: str = ""

    def item(self) -> Item:
        """Give what the tally keeps of it."""
        told = {"event_id": self.event_id} if self.event_id else {}
        return {"version": self.version, "deleted": self.deleted} | told


class EventHandlers:
    """Applies events to the service's own tables."""

    def __init__(
        self, database: Database, outbox: DynamoOutbox, standings: OwnershipStore | None = None
    ) -> None:
        self._db = database
        self._outbox = outbox
        self._standings = standings
        self._people = UserReplica(database, tables.USERS.name, FORMER_MEMBER)

    def handlers(self) -> Mapping[str, EventHandler]:
        """Give what applies each type of event."""
        return {
            events.USER_REGISTERED: self._learn,
            events.USER_UPDATED: self._learn,
            events.USER_SUSPENDED: self._learn,
            events.USER_ERASED: self._forget,
            events.POST_CREATED: self._count,
            events.POST_UPDATED: self._count,
            events.POST_DELETED: self._count,
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

    def count(self, thread_id: str, posts: Sequence[CountedPost]) -> None:
        """Bring the tally of up to 98 posts of a thread, and what it shows, up to these versions.

        Raises:
            UnknownThread: there is no such thread, nor was there one.
        """
        retry_on_conflict(lambda: self._try_to_count(thread_id, posts), ConcurrentCount)

    def _count(self, event: Event) -> None:
        post = parse_data(events.PostData, event)
        counted = CountedPost(
            event.subject, event.version, post.deleted, format_timestamp(post.created_at)
        )
        try:
            self.count(post.thread_id, [replace(counted, event_id=event.id)])
        except UnknownThread:
            if self._standings and self._standings.current().state == CLOSED:
                # Not yet moved here.
                raise cutover_in_progress() from None
            raise

    def _try_to_count(self, thread_id: str, posts: Sequence[CountedPost]) -> None:
        places = [{"thread_id": thread_id, "post_id": post.id} for post in posts]
        thread, *found = self._db.get_items(
            (THREADS, {"id": thread_id}), *((TALLY, place) for place in places)
        )
        if thread is None:
            # Threads are there before their posts: somebody must look why this one is not.
            raise UnknownThread(thread_id)
        if "deleted" in thread:
            return
        actions, more, active = list[Action](), 0, ""
        for post, place, known in zip(posts, places, found, strict=True):
            if known and known["version"] >= post.version:
                continue
            version = known["version"] if known else 0
            actions.append(self._db.put(TALLY, place | post.item(), UNCHANGED, known=version))
            more += int(not post.deleted) - int(known is not None and not known["deleted"])
            active = max(active, post.created_at)
        if not actions:
            return
        actions += self._show(thread, more, active)
        try:
            self._db.transact(actions)
        except TransactionCanceled as refusal:
            raise ConcurrentCount from refusal

    def _show(self, thread: Item, more: int, active: str) -> list[Action]:
        """Change what a thread shows of its posts, where there is something to change.

        Counts add up whoever comes first, so they need no condition on what was read. The latest
        activity does, or it could go back. Neither touches what people edit, nor its version.
        """
        key = {"id": thread["id"]}
        change = "SET post_count = post_count + :more"
        if active > thread["last_activity_at"]:
            return [
                self._db.update(
                    THREADS,
                    key,
                    f"{change}, last_activity_at = :active, activity_key = :place",
                    f"{LIVE} AND last_activity_at < :active",
                    more=more,
                    active=active,
                    place=tables.activity_key(active, thread["id"]),
                )
            ]
        return [self._db.update(THREADS, key, change, LIVE, more=more)] if more else []
