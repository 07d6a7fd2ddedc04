"""Posts in DynamoDB; `posts.dynamodb.tables` says which partition carries which load.

What a write tells others is in the outbox by the same transaction.
"""

from collections.abc import Sequence
from typing import Any

from chassis.auth.tokens import Identity
from chassis.auth.user_replica import NAME, UserReplica
from chassis.clock import Clock, format_timestamp, parse_timestamp
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled, list_shard
from chassis.idempotency.keys import DuplicateIdempotencyKey, IdempotencyKey
from chassis.idempotency.store import IdempotencyStore
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.pagination import Key, Page
from posts import events
from posts.dynamodb import tables
from posts.dynamodb.thread_replica import ThreadReplica
from posts.model import FORMER_MEMBER, Author, Post, Thread, page_length
from posts.ports import ConcurrentModification

POSTS = tables.POSTS.name
LOCATIONS = tables.LOCATIONS.name
USERS = tables.USERS.name
BY_AUTHOR, RECENT = (index.name for index in tables.POSTS.indexes)
UNCHANGED = "version = :expected"

BATCH = 100  # the most items that DynamoDB reads by their keys in one call


class DynamoStore:
    """Keeps posts in the service's own tables."""

    def __init__(self, database: Database, outbox: DynamoOutbox, clock: Clock) -> None:
        self._db = database
        self._outbox = outbox
        self._answers = IdempotencyStore(database, tables.IDEMPOTENCY.name, clock)
        self._people = UserReplica(database, USERS, FORMER_MEMBER)
        self._threads = ThreadReplica(database)

    def get(self, post_id: str) -> Post | None:
        """Read a post, its author's name and its thread, in three calls; strongly consistent."""
        place = self._db.get(LOCATIONS, {"id": post_id})
        if place is None:
            return None
        item = self._db.get(POSTS, {"thread_id": place["thread_id"], "id": post_id})
        if item is None:
            return None
        [post], thread = self._with_author_names_and_thread(place["thread_id"], [item])
        return None if thread and thread.deleted else post

    def list_newest(self, limit: int, after: Key | None) -> Page[Post]:
        """List posts that are not deleted, in one query per shard; may lag behind."""
        before = after[0] if after else None
        found = self._db.query_newest(
            POSTS, RECENT, "id", shards=tables.SHARDS, limit=limit + 1, before=before
        )
        shown = _shown(found, limit)
        return _page(self._with_author_names(shown), found)

    def list_in_thread(
        self, thread_id: str, limit: int, after: Key | None, *, ascending: bool
    ) -> tuple[Page[Post], Thread | None]:
        """List a thread's posts from either end, and what is known of it; strongly consistent.

        One query, and one batch of who and what is shown. In this order: where a purge has begun,
        the thread is then known to be deleted.
        """
        condition = "thread_id = :thread"
        values = {"thread": thread_id}
        if after:
            condition += " AND id > :after" if ascending else " AND id < :after"
            values["after"] = after[0]
        found = self._db.query(POSTS, condition, limit=limit + 1, ascending=ascending, **values)
        posts, thread = self._with_author_names_and_thread(thread_id, _shown(found, limit))
        return _page(posts, found), thread

    def list_by_author(self, author_id: str, limit: int, after: Key | None) -> Page[Post]:
        """List a person's posts that are not deleted, in one query; may lag behind."""
        condition = "author_id = :author"
        values = {"author": author_id}
        if after:
            condition += " AND id < :after"
            values["after"] = after[0]
        found = self._db.query(
            POSTS, condition, index=BY_AUTHOR, limit=limit + 1, ascending=False, **values
        )
        shown = _shown(found, limit)
        return _page(self._with_author_names(shown), found)

    def authorize(self, identity: Identity) -> Identity:
        """Tell who is about to write, in one call unless their session tells something new."""
        table, key = self._people.key(identity.subject)
        return self._people.authorize(identity, self._db.get(table, key))

    def authorize_in_thread(
        self, identity: Identity, thread_id: str
    ) -> tuple[Identity, Thread | None]:
        """Tell who is about to write, as `actor` does, and in what thread, in the same call."""
        keys = self._people.key(identity.subject), self._threads.key(thread_id)
        person, thread = self._db.get_items(*keys)
        return self._people.authorize(identity, person), self._threads.parse(thread)

    def store_thread(self, thread: Thread) -> Thread:
        """Keep what was told of a thread, and answer the newest that is known."""
        return self._threads.store(thread)

    def add(self, post: Post, key: IdempotencyKey | None, answer: dict[str, Any]) -> None:
        """Add a post and its place in one transaction, in which the thread takes posts."""
        actions = [
            self._db.put(POSTS, _item(post)),
            self._db.put(LOCATIONS, {"id": post.id, "thread_id": post.thread_id}),
            self._threads.require_open(post.thread_id),
            self._outbox.record(events.CREATED, post.id, post.version, events.state(post)),
        ]
        if key:
            actions.append(self._answers.store_response(key, answer))
        try:
            self._db.transact(actions)
        except TransactionCanceled as refusal:
            # The key first: who asks again gets the answer whatever became of the thread.
            if key and refusal.failed(4):
                raise DuplicateIdempotencyKey from refusal
            raise ConcurrentModification from refusal

    def replace(self, post: Post, old: Post) -> None:
        """Write a post's new state over the old one, in one transaction."""
        change = (
            "SET body = :body, html = :html, edited_at = :edited_at, "
            "deleted = :deleted, version = :version"
        )
        if post.deleted:
            # Without their keys it leaves the two indexes, and keeps its place in the thread.
            change += " REMOVE author_id, list_shard"
        self._apply(
            self._db.update(
                POSTS,
                {"thread_id": post.thread_id, "id": post.id},
                change,
                UNCHANGED,
                body=post.body,
                html=post.html,
                edited_at=format_timestamp(post.edited_at) if post.edited_at else None,
                deleted=post.deleted,
                version=post.version,
                expected=old.version,
            ),
            self._outbox.record(events.changed(post), post.id, post.version, events.state(post)),
        )

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Look up the first answer to an idempotency key."""
        return self._answers.find_response(key)

    def check(self) -> None:
        """Check that the datastore answers."""
        self._db.check_table(POSTS)

    def _with_author_names(self, items: Sequence[Item]) -> list[Post]:
        """Give posts with the names that their authors have now, in one call."""
        names = self._people.display_names(item["written_by"] for item in items)
        return [_post(item, names.get(item["written_by"], FORMER_MEMBER)) for item in items]

    def _with_author_names_and_thread(
        self, thread_id: str, items: Sequence[Item]
    ) -> tuple[list[Post], Thread | None]:
        """Give posts of a thread as `_named` does, and what is known of the thread.

        In one call, or two where a hundred people wrote a hundred posts.
        """
        authors = list(dict.fromkeys(item["written_by"] for item in items))
        keys = [self._people.key(author) for author in authors]
        known: list[Item | None] = []
        only = {USERS: NAME}
        first = self._threads.key(thread_id), *keys[: BATCH - 1]
        thread, *known = self._db.get_items(*first, only=only)
        if len(keys) >= BATCH:
            known += self._db.get_items(*keys[BATCH - 1 :], only=only)
        names = {person["id"]: person["display_name"] for person in known if person}
        posts = [_post(item, names.get(item["written_by"], FORMER_MEMBER)) for item in items]
        return posts, self._threads.parse(thread)

    def _apply(self, *actions: Action) -> None:
        try:
            self._db.transact(actions)
        except TransactionCanceled as refusal:
            raise ConcurrentModification from refusal


def _shown(found: Sequence[Item], limit: int) -> Sequence[Item]:
    """Take what a page holds of what was found for it."""
    return found[: page_length([len(item["body"]) + len(item["html"]) for item in found[:limit]])]


def _page(posts: list[Post], found: Sequence[Item]) -> Page[Post]:
    """Make a page; more follows where more was found than it holds."""
    return Page(posts, (posts[-1].id,) if len(found) > len(posts) else None)


def _item(post: Post) -> Item:
    return {
        "thread_id": post.thread_id,
        "id": post.id,
        "written_by": post.author.id,
        "body": post.body,
        "html": post.html,
        "created_at": format_timestamp(post.created_at),
        "edited_at": format_timestamp(post.edited_at) if post.edited_at else None,
        "deleted": post.deleted,
        "version": post.version,
        # The keys of the indexes.
        "author_id": post.author.id,
        "list_shard": list_shard(post.id, tables.SHARDS),
    }


def _post(item: Item, author_name: str) -> Post:
    return Post(
        id=item["id"],
        thread_id=item["thread_id"],
        author=Author(item["written_by"], author_name),
        body=item["body"],
        html=item["html"],
        created_at=parse_timestamp(item["created_at"]),
        edited_at=parse_timestamp(item["edited_at"]) if item["edited_at"] else None,
        deleted=item["deleted"],
        version=item["version"],
    )
