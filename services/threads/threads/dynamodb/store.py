"""Threads in DynamoDB; `threads.dynamodb.tables` says which partition carries which load.

What a write tells others is in the outbox by the same transaction. What the posts of a thread
change of it (`threads.event_handlers`) is never written here, so neither overwrites the other.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from chassis.auth.tokens import Identity
from chassis.auth.user_replica import NAME, UserReplica
from chassis.clock import Clock, format_timestamp, parse_timestamp
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled, list_shard
from chassis.facts import Facts
from chassis.idempotency.keys import DuplicateIdempotencyKey, IdempotencyKey
from chassis.idempotency.store import IdempotencyStore
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.pagination import Key, Page
from threads import events
from threads.dynamodb import tables
from threads.model import FORMER_MEMBER, Author, Thread, title_words
from threads.ports import ConcurrentModification

THREADS = tables.THREADS.name
WORDS = tables.WORDS.name
USERS = tables.USERS.name
UNCHANGED = "version = :expected"

SEARCH_ROUNDS = 3
"""So many times a search reads on for one page; with 8 words 10 queries and 4 batches."""

BATCH = 100  # the most items that DynamoDB reads by their keys in one call


class DynamoStore:
    """Keeps threads in the service's own tables."""

    def __init__(self, database: Database, outbox: DynamoOutbox, clock: Clock) -> None:
        self._db = database
        self._outbox = outbox
        self._answers = IdempotencyStore(database, tables.IDEMPOTENCY.name, clock)
        self._people = UserReplica(database, USERS, FORMER_MEMBER)
        self._authors = Facts()

    def get(self, thread_id: str) -> Thread | None:
        """Read a thread and its author's name; strongly consistent.

        In one call where this process has read the thread before, else in two: whose thread it is
        never changes, so both can be asked for at once.
        """
        if author_id := self._authors.get(thread_id):
            keys = (THREADS, {"id": thread_id}), self._people.key(author_id)
            item, person = self._db.get_items(*keys, only={USERS: NAME})
            name = person["display_name"] if person else FORMER_MEMBER
            return _thread(item, name) if item and _live(item) else None
        item = self._db.get(THREADS, {"id": thread_id})
        if item is None or not _live(item):
            return None
        self._authors.keep(thread_id, item["author_id"])
        return self._named([item])[0]

    def list_by_activity(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads by activity, in a query per shard and one batch; may lag behind."""
        return self._list("by-activity", "activity_key", limit, after)

    def list_newest(self, limit: int, after: Key | None) -> Page[Thread]:
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
        found: list[Item] = []
        for rounds_left in reversed(range(SEARCH_ROUNDS)):
            page = pages[rarest]
            found += self._with_words(
                wanted, [one for one in page if _may_be_in_all(one, pages.values(), size)]
            )
            if len(found) > limit:
                return Page(self._named(found[:limit]), (found[limit - 1]["id"],))
            if len(page) < size:
                return Page(self._named(found), None)
            if rounds_left:
                pages[rarest] = self._postings(rarest, page[-1], size)
        return Page(self._named(found), (page[-1],))

    def authorize(self, identity: Identity) -> Identity:
        """Tell who is about to write, in one call unless their session tells something new."""
        table, key = self._people.key(identity.subject)
        return self._people.authorize(identity, self._db.get(table, key))

    def add(self, thread: Thread, key: IdempotencyKey | None, answer: dict[str, Any]) -> None:
        """Add a thread and the postings of its title in one transaction."""
        actions = [
            self._db.put(THREADS, _item(thread)),
            self._outbox.record(events.CREATED, thread.id, thread.version, events.state(thread)),
            *self._add_postings(thread, title_words(thread.title)),
        ]
        if key:
            actions.append(self._answers.store_response(key, answer))
        try:
            self._db.transact(actions)
        except TransactionCanceled as refusal:
            raise DuplicateIdempotencyKey from refusal

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
            self._outbox.record(events.UPDATED, thread.id, thread.version, events.state(thread)),
            *self._add_postings(thread, words - old_words),
            *self._remove_postings(thread, old_words - words),
        )

    def delete(self, thread: Thread) -> None:
        """Leave an item that is in no list, and remove the postings, in one transaction.

        The item goes on telling a thread that was deleted from one that is not known yet.
        """
        version = thread.version + 1
        left = {"id": thread.id, "deleted": True, "version": version}
        self._apply(
            self._db.put(THREADS, left, UNCHANGED, expected=thread.version),
            self._outbox.record(events.DELETED, thread.id, version, events.remains(thread)),
            *self._remove_postings(thread, title_words(thread.title)),
        )

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Look up the first answer to an idempotency key."""
        return self._answers.find_response(key)

    def check(self) -> None:
        """Check that the datastore answers."""
        self._db.check_table(THREADS)

    def _list(self, index: str, sort: str, limit: int, after: Key | None) -> Page[Thread]:
        before = after[0] if after else None
        found = self._db.query_newest(
            THREADS, index, sort, shards=tables.SHARDS, limit=limit + 1, before=before
        )
        threads = self._named(found[:limit])
        return Page(threads, (found[limit - 1][sort],) if len(found) > limit else None)

    def _with_words(self, wanted: frozenset[str], thread_ids: Sequence[str]) -> list[Item]:
        """Read those of up to 100 threads that have these words in their titles right now."""
        items = self._db.get_by_partition(THREADS, "id", thread_ids)
        live = [items[one] for one in thread_ids if one in items and _live(items[one])]
        return [item for item in live if wanted <= title_words(item["title"])]

    def _named(self, items: Sequence[Item]) -> list[Thread]:
        """Give threads with the names that their authors have now, in one call."""
        names = self._people.display_names(item["author_id"] for item in items)
        return [_thread(item, names.get(item["author_id"], FORMER_MEMBER)) for item in items]

    def _postings(self, word: str, before: str | None, size: int) -> list[str]:
        """Read a page of the ids of threads that have a word in their titles, newest first."""
        condition, values = "word = :word", {"word": word}
        if before is not None:
            condition += " AND thread_id < :before"
            values["before"] = before
        found = self._db.query(WORDS, condition, limit=size, ascending=False, **values)
        return [item["thread_id"] for item in found]

    def _add_postings(self, thread: Thread, words: Iterable[str]) -> list[Action]:
        return [self._db.put(WORDS, {"word": word, "thread_id": thread.id}) for word in words]

    def _remove_postings(self, thread: Thread, words: Iterable[str]) -> list[Action]:
        return [self._db.delete(WORDS, {"word": word, "thread_id": thread.id}) for word in words]

    def _apply(self, *actions: Action) -> None:
        try:
            self._db.transact(actions)
        except TransactionCanceled as refusal:
            raise ConcurrentModification from refusal


def _reach(page: Sequence[str], size: int) -> str:
    """Tell down to which id a page of postings is complete; an empty string if to the end."""
    return page[-1] if len(page) == size else ""


def _may_be_in_all(thread_id: str, pages: Iterable[Sequence[str]], size: int) -> bool:
    """Tell whether each page of postings has this id or does not reach down to it."""
    return all(thread_id in page or thread_id < _reach(page, size) for page in pages)


def _live(item: Item) -> bool:
    return "deleted" not in item


def _item(thread: Thread) -> Item:
    return {
        "id": thread.id,
        "title": thread.title,
        "author_id": thread.author.id,
        "created_at": format_timestamp(thread.created_at),
        "last_activity_at": format_timestamp(thread.last_activity_at),
        "post_count": thread.post_count,
        "locked": thread.locked,
        "version": thread.version,
        "activity_key": tables.activity_key(format_timestamp(thread.last_activity_at), thread.id),
        "list_shard": list_shard(thread.id, tables.SHARDS),
    }


def _thread(item: Item, author_name: str) -> Thread:
    return Thread(
        id=item["id"],
        title=item["title"],
        author=Author(item["author_id"], author_name),
        created_at=parse_timestamp(item["created_at"]),
        last_activity_at=parse_timestamp(item["last_activity_at"]),
        post_count=item["post_count"],
        locked=item["locked"],
        version=item["version"],
    )
