"""Threads in DynamoDB; `threads.tables` says which partition carries which load."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from chassis.clock import Clock, moment, stamp
from chassis.dynamodb import Action, Database, Item, NotApplied, list_shard
from chassis.idempotency import IdempotencyKey, KeyTaken
from chassis.names import Names
from chassis.paging import Key, Page
from chassis.replay import Answers
from threads import tables
from threads.model import Author, Thread, title_words
from threads.ports import Changed

THREADS = tables.THREADS.name
WORDS = tables.WORDS.name
AUTHORS = tables.AUTHORS.name
UNCHANGED = "version = :expected"

SEARCH_ROUNDS = 3
"""So many times a search reads on for one page; with 8 words 10 queries and 4 batches."""

BATCH = 100  # the most items that DynamoDB reads by their keys in one call


class DynamoStore:
    """Keeps threads in the service's own tables."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._answers = Answers(database, tables.IDEMPOTENCY.name, clock)
        self._names = Names(database, AUTHORS)

    def get(self, thread_id: str) -> Thread | None:
        """Read a thread and its author's name, in two calls; strongly consistent."""
        item = self._db.get(THREADS, {"id": thread_id})
        return self._named([_thread(item)])[0] if item and _live(item) else None

    def active(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads by activity, in a query per shard and one batch; may lag behind."""
        return self._list("by-activity", "activity_key", limit, after)

    def newest(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads, newest first, in a query per shard and one batch; may lag behind."""
        return self._list("by-age", "id", limit, after)

    def search(self, words: Sequence[str], limit: int, after: Key | None) -> Page[Thread]:
        """List threads with all these words in their titles, newest first; strongly consistent.

        Reads a page of postings for each word, then only those of the rarest word, and compares
        what it can't tell from these with the titles. So a page costs a bounded number of calls,
        however many threads share the words; where they end, the next page goes on.
        """
        wanted = frozenset(words)
        size = BATCH if len(wanted) > 1 else min(limit + 1, BATCH)
        before = after[0] if after else None
        pages = {word: self._postings(word, before, size) for word in wanted}
        rarest = min(wanted, key=lambda word: (_reach(pages[word], size), len(pages[word])))
        found: list[Thread] = []
        for rounds_left in reversed(range(SEARCH_ROUNDS)):
            page = pages[rarest]
            found += self._with_words(
                wanted, [one for one in page if _may_be_in_all(one, pages.values(), size)]
            )
            if len(found) > limit:
                return Page(self._named(found[:limit]), (found[limit - 1].id,))
            if len(page) < size:
                return Page(self._named(found), None)
            if rounds_left:
                pages[rarest] = self._postings(rarest, page[-1], size)
        return Page(self._named(found), (page[-1],))

    def remember(self, author: Author, version: int) -> Author:
        """Keep an author's name as of a version of theirs, and answer the newest name known."""
        return Author(author.id, self._names.keep(author.id, author.display_name, version))

    def add(self, thread: Thread, key: IdempotencyKey | None, answer: dict[str, Any]) -> None:
        """Add a thread and the postings of its title in one transaction."""
        actions = [
            self._db.put(THREADS, _item(thread)),
            *self._post(thread, title_words(thread.title)),
        ]
        if key:
            actions.append(self._answers.keep(key, answer))
        try:
            self._db.transact(actions)
        except NotApplied as refusal:
            raise KeyTaken from refusal

    def replace(self, thread: Thread, old: Thread) -> None:
        """Write a thread's new state and the changed postings of its title in one transaction."""
        change = "SET title = :title, locked = :locked, version = :version"
        words, old_words = title_words(thread.title), title_words(old.title)
        self._apply(
            self._db.update(
                THREADS,
                {"id": thread.id},
                change,
                UNCHANGED,
                title=thread.title,
                locked=thread.locked,
                version=thread.version,
                expected=old.version,
            ),
            *self._post(thread, words - old_words),
            *self._unpost(thread, old_words - words),
        )

    def delete(self, thread: Thread) -> None:
        """Leave an item that is in no list, and remove the postings, in one transaction.

        The item goes on telling a thread that was deleted from one that is not known yet.
        """
        left = {"id": thread.id, "deleted": True, "version": thread.version + 1}
        self._apply(
            self._db.put(THREADS, left, UNCHANGED, expected=thread.version),
            *self._unpost(thread, title_words(thread.title)),
        )

    def answered(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Look up the first answer to an idempotency key."""
        return self._answers.find(key)

    def check(self) -> None:
        """Check that the datastore answers."""
        self._db.ready(THREADS)

    def _list(self, index: str, sort: str, limit: int, after: Key | None) -> Page[Thread]:
        before = after[0] if after else None
        found = self._db.newest(
            THREADS, index, sort, shards=tables.SHARDS, limit=limit + 1, before=before
        )
        threads = self._named([_thread(item) for item in found[:limit]])
        return Page(threads, (found[limit - 1][sort],) if len(found) > limit else None)

    def _with_words(self, wanted: frozenset[str], thread_ids: Sequence[str]) -> list[Thread]:
        """Read those of up to 100 threads that have these words in their titles right now."""
        items = self._db.get_many(THREADS, "id", thread_ids)
        live = [_thread(items[one]) for one in thread_ids if one in items and _live(items[one])]
        return [thread for thread in live if wanted <= title_words(thread.title)]

    def _named(self, threads: Sequence[Thread]) -> list[Thread]:
        """Give the threads the names that their authors have now, in one call."""
        names = self._names.of(thread.author.id for thread in threads)
        return [
            replace(thread, author=Author(thread.author.id, names[thread.author.id]))
            if thread.author.id in names
            else thread
            for thread in threads
        ]

    def _postings(self, word: str, before: str | None, size: int) -> list[str]:
        """Read a page of the ids of threads that have a word in their titles, newest first."""
        condition, values = "word = :word", {"word": word}
        if before is not None:
            condition += " AND thread_id < :before"
            values["before"] = before
        found = self._db.query(WORDS, condition, limit=size, ascending=False, **values)
        return [item["thread_id"] for item in found]

    def _post(self, thread: Thread, words: Iterable[str]) -> list[Action]:
        return [self._db.put(WORDS, {"word": word, "thread_id": thread.id}) for word in words]

    def _unpost(self, thread: Thread, words: Iterable[str]) -> list[Action]:
        return [self._db.delete(WORDS, {"word": word, "thread_id": thread.id}) for word in words]

    def _apply(self, *actions: Action) -> None:
        try:
            self._db.transact(actions)
        except NotApplied as refusal:
            raise Changed from refusal


def _reach(page: Sequence[str], size: int) -> str:
    """Tell down to which id a page of postings is complete; an empty string if to the end."""
    return page[-1] if len(page) == size else ""


def _may_be_in_all(thread_id: str, pages: Iterable[Sequence[str]], size: int) -> bool:
    """Tell whether each page of postings has this id or does not reach down to it."""
    return all(thread_id in page or thread_id < _reach(page, size) for page in pages)


def _live(item: Item) -> bool:
    return "deleted" not in item


def _item(thread: Thread) -> Item:
    activity = stamp(thread.last_activity_at)
    return {
        "id": thread.id,
        "title": thread.title,
        "author_id": thread.author.id,
        # Shown only as long as the author's own item is not there.
        "author_name": thread.author.display_name,
        "created_at": stamp(thread.created_at),
        "last_activity_at": activity,
        "post_count": thread.post_count,
        "locked": thread.locked,
        "version": thread.version,
        "activity_key": f"{activity}#{thread.id}",
        "list_shard": list_shard(thread.id, tables.SHARDS),
    }


def _thread(item: Item) -> Thread:
    return Thread(
        id=item["id"],
        title=item["title"],
        author=Author(item["author_id"], item["author_name"]),
        created_at=moment(item["created_at"]),
        last_activity_at=moment(item["last_activity_at"]),
        post_count=item["post_count"],
        locked=item["locked"],
        version=item["version"],
    )
