"""Posts in DynamoDB; `posts.dynamodb.tables` describes the load on each partition.

Each write records its event in the outbox in the same transaction.
"""

from collections.abc import Sequence
from typing import Any

from chassis.auth.tokens import Identity
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.idempotency import store as idempotency
from chassis.idempotency.keys import DuplicateIdempotencyKey, IdempotencyKey
from chassis.idempotency.store import IdempotencyStore
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.pagination import Key, Page
from posts import events
from posts.dynamodb import items, tables
from posts.dynamodb.thread_replica import ThreadReplica
from posts.dynamodb.user_replica import NAME, UserReplica
from posts.model import FORMER_MEMBER, Actor, Post, SessionClaims, Thread, page_length
from posts.ports import ConcurrentModification

POSTS = tables.POSTS.name
LOCATIONS = tables.LOCATIONS.name
BY_AUTHOR, RECENT = (index.name for index in tables.POSTS.indexes)
UNCHANGED = "version = :expected"

BATCH = 100  # DynamoDB's maximum of items per batch read


class DynamoStore:
    """Store of posts in the service's own tables."""

    def __init__(
        self, database: Database, outbox: DynamoOutbox, responses: IdempotencyStore
    ) -> None:
        self._db = database
        self._outbox = outbox
        self._responses = responses
        self._users = UserReplica(database)
        self._threads = ThreadReplica(database)

    def get(self, post_id: str) -> Post | None:
        """Read a post, its author's name and its thread, in three calls; strongly consistent."""
        location = self._db.get(LOCATIONS, {"id": post_id})
        if location is None:
            return None
        thread_id = location["thread_id"]
        item = self._db.get(POSTS, {"thread_id": thread_id, "id": post_id})
        if item is None:
            return None
        [post], thread = self._with_author_names_and_thread(thread_id, [item])
        return None if thread and thread.deleted else post

    def list_newest(self, limit: int, after: Key | None) -> Page[Post]:
        """List posts that are not deleted, in one query per shard; may lag behind."""
        before = after[0] if after else None
        found = self._db.query_newest(
            POSTS, RECENT, "id", shards=tables.SHARDS, limit=limit + 1, before=before
        )
        return _page(self._with_author_names(_fitting(found, limit)), found)

    def list_in_thread(
        self, thread_id: str, limit: int, after: Key | None, *, ascending: bool
    ) -> tuple[Page[Post], Thread | None]:
        """List a thread's posts from either end, with the known thread; strongly consistent.

        One query for the posts, then one batch for the authors and the thread. In this order: if a
        purge has begun, the thread is then known to be deleted.
        """
        condition = "thread_id = :thread"
        values = {"thread": thread_id}
        if after:
            condition += " AND id > :after" if ascending else " AND id < :after"
            values["after"] = after[0]
        found = self._db.query(POSTS, condition, limit=limit + 1, ascending=ascending, **values)
        posts, thread = self._with_author_names_and_thread(thread_id, _fitting(found, limit))
        return _page(posts, found), thread

    def list_by_author(self, author_id: str, limit: int, after: Key | None) -> Page[Post]:
        """List an author's posts that are not deleted, in one query; may lag behind."""
        condition = "author_id = :author"
        values = {"author": author_id}
        if after:
            condition += " AND id < :after"
            values["after"] = after[0]
        found = self._db.query(
            POSTS, condition, index=BY_AUTHOR, limit=limit + 1, ascending=False, **values
        )
        return _page(self._with_author_names(_fitting(found, limit)), found)

    def authorize(self, identity: Identity[SessionClaims]) -> Actor:
        """Return the user about to write, in one call unless the session has newer claims."""
        known = self._db.get(*self._users.key(identity.subject))
        return self._users.authorize(identity, known)

    def authorize_in_thread(
        self, identity: Identity[SessionClaims], thread_id: str
    ) -> tuple[Actor, Thread | None]:
        """Return the user who is about to write, and the known thread, read in the same call."""
        keys = self._users.key(identity.subject), self._threads.key(thread_id)
        user, thread = self._db.get_items(*keys)
        return self._users.authorize(identity, user), self._threads.parse(thread)

    def store_thread(self, thread: Thread) -> Thread:
        """Store a version of a thread, and return the newest that is known."""
        return self._threads.store(thread)

    def add(self, post: Post, key: IdempotencyKey | None, response: dict[str, Any]) -> None:
        """Add a post and its location in one transaction, which requires an open thread."""
        actions = [
            self._db.put(POSTS, items.to_item(items.to_record(post))),
            self._db.put(LOCATIONS, {"id": post.id, "thread_id": post.thread_id}),
            self._threads.record_post(post.thread_id, post.created_at),
            self._outbox.record(events.CREATED, post.id, post.version, events.event_data(post)),
        ]
        if key:
            actions.append(self._responses.store_response(key, response))
        try:
            self._db.transact(actions)
        except TransactionCanceled as canceled:
            # The key first: a repeated request gets its response even if the thread has changed.
            if canceled.failed(idempotency.LABEL):
                raise DuplicateIdempotencyKey from canceled
            raise ConcurrentModification from canceled

    def replace(self, post: Post, old: Post) -> None:
        """Replace a post's old state, in one transaction.

        A deleted post loses the keys of both indexes, and keeps its place in the thread.
        """
        self._apply(
            self._db.replace_item(
                POSTS,
                {"thread_id": post.thread_id, "id": post.id},
                items.to_item(items.to_record(old)),
                items.to_item(items.to_record(post)),
                UNCHANGED,
                expected=old.version,
            ),
            self._outbox.record(
                events.change_type(post), post.id, post.version, events.event_data(post)
            ),
        )

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Return the first response to an idempotency key."""
        return self._responses.find_response(key)

    def check(self) -> None:
        """Check that the datastore is reachable."""
        self._db.check_table(tables.POSTS)

    def _with_author_names(self, found: Sequence[Item]) -> list[Post]:
        """Return posts with their authors' current names, in one call."""
        names = self._users.display_names(item["written_by"] for item in found)
        return [items.to_post(item, names.get(item["written_by"], FORMER_MEMBER)) for item in found]

    def _with_author_names_and_thread(
        self, thread_id: str, found: Sequence[Item]
    ) -> tuple[list[Post], Thread | None]:
        """Return posts of a thread with their authors' names, and the known thread.

        In one call, or two if a hundred users wrote a hundred posts.
        """
        authors = dict.fromkeys(item["written_by"] for item in found)
        keys = [self._threads.key(thread_id), *map(self._users.key, authors)]
        only = {tables.USERS.name: NAME}
        thread, *users = [
            item
            for batch in (keys[:BATCH], keys[BATCH:])
            for item in self._db.get_items(*batch, only=only)
        ]
        names = {user["id"]: user["display_name"] for user in users if user}
        posts = [
            items.to_post(item, names.get(item["written_by"], FORMER_MEMBER)) for item in found
        ]
        return posts, self._threads.parse(thread)

    def _apply(self, *actions: Action) -> None:
        try:
            self._db.transact(actions)
        except TransactionCanceled as canceled:
            raise ConcurrentModification from canceled


def _fitting(found: Sequence[Item], limit: int) -> Sequence[Item]:
    """Return the items that fit on one page."""
    return found[: page_length([len(item["body"]) + len(item["html"]) for item in found[:limit]])]


def _page(posts: list[Post], found: Sequence[Item]) -> Page[Post]:
    """Build a page; another one follows if more items were found."""
    return Page(posts, (posts[-1].id,) if len(found) > len(posts) else None)
