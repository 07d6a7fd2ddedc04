"""Posts in DynamoDB; `posts.tables` says which partition carries which load."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chassis.clock import Clock, moment, stamp
from chassis.dynamodb import Database, Item, NotApplied, list_shard
from chassis.idempotency import IdempotencyKey, KeyTaken
from chassis.names import Names
from chassis.paging import Key, Page
from chassis.replay import Answers
from posts import tables
from posts.model import Author, Post, fitting
from posts.ports import Changed

POSTS = tables.POSTS.name
PLACES = tables.PLACES.name
AUTHORS = tables.AUTHORS.name
BY_AUTHOR, RECENT = (index.name for index in tables.POSTS.indexes)
UNCHANGED = "version = :expected"


class DynamoStore:
    """Keeps posts in the service's own tables."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._answers = Answers(database, tables.IDEMPOTENCY.name, clock)
        self._names = Names(database, AUTHORS)

    def get(self, post_id: str) -> Post | None:
        """Read a post and its author's name, in three calls; strongly consistent."""
        place = self._db.get(PLACES, {"id": post_id})
        if place is None:
            return None
        item = self._db.get(POSTS, {"thread_id": place["thread_id"], "id": post_id})
        return self._named([_post(item)])[0] if item else None

    def newest(self, limit: int, after: Key | None) -> Page[Post]:
        """List posts that are not deleted, in one query per shard; may lag behind."""
        before = after[0] if after else None
        found = self._db.newest(
            POSTS, RECENT, "id", shards=tables.SHARDS, limit=limit + 1, before=before
        )
        return self._page(found, limit)

    def in_thread(
        self, thread_id: str, limit: int, after: Key | None, *, ascending: bool
    ) -> Page[Post]:
        """List a thread's posts from either end, in one query; strongly consistent."""
        condition = "thread_id = :thread"
        values = {"thread": thread_id}
        if after:
            condition += " AND id > :after" if ascending else " AND id < :after"
            values["after"] = after[0]
        found = self._db.query(POSTS, condition, limit=limit + 1, ascending=ascending, **values)
        return self._page(found, limit)

    def by_author(self, author_id: str, limit: int, after: Key | None) -> Page[Post]:
        """List a person's posts that are not deleted, in one query; may lag behind."""
        condition = "author_id = :author"
        values = {"author": author_id}
        if after:
            condition += " AND id < :after"
            values["after"] = after[0]
        found = self._db.query(
            POSTS, condition, index=BY_AUTHOR, limit=limit + 1, ascending=False, **values
        )
        return self._page(found, limit)

    def remember(self, author: Author, version: int) -> Author:
        """Keep an author's name as of a version of theirs, and answer the newest name known."""
        return Author(author.id, self._names.keep(author.id, author.display_name, version))

    def add(self, post: Post, key: IdempotencyKey | None, answer: dict[str, Any]) -> None:
        """Add a post and its place in one transaction."""
        actions = [
            self._db.put(POSTS, _item(post)),
            self._db.put(PLACES, {"id": post.id, "thread_id": post.thread_id}),
        ]
        if key:
            actions.append(self._answers.keep(key, answer))
        try:
            self._db.transact(actions)
        except NotApplied as refusal:
            raise KeyTaken from refusal

    def replace(self, post: Post, expected: int) -> None:
        """Write a post's new state over the version that was expected."""
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
                edited_at=stamp(post.edited_at) if post.edited_at else None,
                deleted=post.deleted,
                version=post.version,
                expected=expected,
            )
        )

    def answered(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Look up the first answer to an idempotency key."""
        return self._answers.find(key)

    def check(self) -> None:
        """Check that the datastore answers."""
        self._db.ready(POSTS)

    def _apply(self, *actions: dict[str, Any]) -> None:
        try:
            self._db.transact(actions)
        except NotApplied as refusal:
            raise Changed from refusal

    def _page(self, found: Sequence[Item], limit: int) -> Page[Post]:
        posts = [_post(item) for item in found[:limit]]
        count = fitting(posts)
        named = self._named(posts[:count])
        return Page(named, (named[-1].id,) if len(found) > count else None)

    def _named(self, posts: Sequence[Post]) -> list[Post]:
        """Give the posts the names that their authors have now, in one call."""
        names = self._names.of(post.author.id for post in posts)
        return [
            replace(post, author=Author(post.author.id, names[post.author.id]))
            if post.author.id in names
            else post
            for post in posts
        ]


def _item(post: Post) -> Item:
    return {
        "thread_id": post.thread_id,
        "id": post.id,
        "written_by": post.author.id,
        # Shown only as long as the author's own item is not there.
        "author_name": post.author.display_name,
        "body": post.body,
        "html": post.html,
        "created_at": stamp(post.created_at),
        "edited_at": stamp(post.edited_at) if post.edited_at else None,
        "deleted": post.deleted,
        "version": post.version,
        # The keys of the indexes.
        "author_id": post.author.id,
        "list_shard": list_shard(post.id, tables.SHARDS),
    }


def _post(item: Item) -> Post:
    return Post(
        id=item["id"],
        thread_id=item["thread_id"],
        author=Author(item["written_by"], item["author_name"]),
        body=item["body"],
        html=item["html"],
        created_at=moment(item["created_at"]),
        edited_at=moment(item["edited_at"]) if item["edited_at"] else None,
        deleted=item["deleted"],
        version=item["version"],
    )
