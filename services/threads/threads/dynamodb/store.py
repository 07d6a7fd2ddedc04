"""Threads in DynamoDB; `threads.dynamodb.tables` describes the load on each partition.

Each write records its event in the outbox in the same transaction. Counts of posts are written
elsewhere (`threads.dynamodb.post_counter`), so neither write overwrites the other.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from cachetools import LRUCache

from chassis.auth.tokens import Identity
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.errors import Unavailable
from chassis.idempotency.keys import DuplicateIdempotencyKey, IdempotencyKey
from chassis.idempotency.store import IdempotencyStore
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.pagination import Key, Page
from chassis.words import finds
from threads import events
from threads.dynamodb import items, tables
from threads.dynamodb.postings import Postings, lookup_keys, title_keys
from threads.dynamodb.user_replica import NAME, UserReplica
from threads.model import FORMER_MEMBER, Actor, SessionClaims, Thread
from threads.ports import ConcurrentModification

THREADS = tables.THREADS.name
UNCHANGED = "version = :expected"

SEARCH_ROUNDS = 3
"""Rounds of reads per search page; with 8 keys these are 10 queries and 4 batches."""

BATCH = 100  # DynamoDB's maximum of items per batch read


MAX_CACHED_AUTHORS = 20_000


class DynamoStore:
    """Store of threads in the service's own tables."""

    def __init__(
        self, database: Database, outbox: DynamoOutbox, responses: IdempotencyStore
    ) -> None:
        self._db = database
        self._outbox = outbox
        self._responses = responses
        self._users = UserReplica(database)
        self._postings = Postings(database)
        # A thread never changes its author, so no entry becomes stale.
        self._author_ids: LRUCache[str, str] = LRUCache(MAX_CACHED_AUTHORS)
        self._author_ids_lock = Lock()

    def get(self, thread_id: str) -> Thread | None:
        """Read a thread and its author's name; strongly consistent.

        In one call if this process has read the thread before and so knows the author's id;
        otherwise in two.
        """
        with self._author_ids_lock:
            author_id = self._author_ids.get(thread_id)
        if author_id:
            keys = (THREADS, {"id": thread_id}), self._users.key(author_id)
            item, user = self._db.get_items(*keys, only={tables.USERS.name: NAME})
            name = user["display_name"] if user else FORMER_MEMBER
            return items.to_thread(item, name) if item and not items.is_deleted(item) else None
        item = self._db.get(THREADS, {"id": thread_id})
        if item is None or items.is_deleted(item):
            return None
        with self._author_ids_lock:
            self._author_ids[thread_id] = item["author_id"]
        return self._with_author_names([item])[0]

    def list_by_activity(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads by activity, in a query per shard and one batch; may lag behind."""
        return self._list("by-activity", "activity_key", limit, after)

    def list_newest(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads, newest first, in a query per shard and one batch; may lag behind."""
        return self._list("by-age", "id", limit, after)

    def search(self, terms: Sequence[str], limit: int, after: Key | None) -> Page[Thread]:
        """List threads whose titles have all these terms, newest first; strongly consistent.

        Reads a page of postings for each key of the terms, then only those of the rarest key, and
        compares the titles. So a page costs a bounded number of calls, however many threads share
        the keys; the next page continues where the calls end.
        """
        keys = lookup_keys(terms)
        size = BATCH if len(keys) > 1 else min(limit + 1, BATCH)
        before = after[0] if after else None
        pages = {key: self._postings.read(key, before, size) for key in keys}
        rarest = min(keys, key=lambda key: (_reach(pages[key], size), len(pages[key])))
        found: list[Item] = []
        for rounds_left in reversed(range(SEARCH_ROUNDS)):
            page = pages[rarest]
            found += self._with_terms(
                terms, [one for one in page if _may_be_in_all(one, pages.values(), size)]
            )
            if len(found) > limit:
                return Page(self._with_author_names(found[:limit]), (found[limit - 1]["id"],))
            if len(page) < size:
                return Page(self._with_author_names(found), None)
            if rounds_left:
                size = BATCH
                pages[rarest] = self._postings.read(rarest, page[-1], size)
        return Page(self._with_author_names(found), (page[-1],))

    def authorize(self, identity: Identity[SessionClaims]) -> Actor:
        """Return the user about to write, in one call unless the session has newer claims."""
        known = self._db.get(*self._users.key(identity.subject))
        return self._users.authorize(identity, known)

    def add(self, thread: Thread, key: IdempotencyKey | None, response: dict[str, Any]) -> None:
        """Add a thread and the postings of its title in one transaction."""
        actions = [
            self._db.put(THREADS, items.to_item(thread)),
            self._outbox.record(
                events.CREATED, thread.id, thread.version, events.event_data(thread)
            ),
            *self._postings.add(thread.id, title_keys(thread.title)),
        ]
        if key:
            actions.append(self._responses.store_response(key, response))
        try:
            self._db.transact(actions)
        except TransactionCanceled as canceled:
            raise DuplicateIdempotencyKey from canceled

    def replace(self, thread: Thread, old: Thread) -> None:
        """Replace a thread's state and the postings of its title in one transaction.

        If both titles are long, some postings of the old one are removed after it.
        """
        postings, rest = self._postings.change(
            thread.id, title_keys(old.title), title_keys(thread.title)
        )
        self._apply(
            self._db.replace_item(
                THREADS,
                {"id": thread.id},
                items.state_of(old),
                items.state_of(thread),
                UNCHANGED,
                expected=old.version,
            ),
            self._outbox.record(
                events.UPDATED, thread.id, thread.version, events.event_data(thread)
            ),
            *postings,
        )
        # The title decides what is found, so after an outage the rest only takes space.
        with suppress(Unavailable):
            self._postings.remove_rest(thread.id, rest)

    def delete(self, thread: Thread) -> None:
        """Replace a thread by a tombstone and remove its postings, in one transaction.

        The tombstone is in no list; it distinguishes a deleted thread from an unknown one.
        """
        version = thread.version + 1
        tombstone = items.tombstone(thread.id, version)
        self._apply(
            self._db.put(THREADS, tombstone, UNCHANGED, expected=thread.version),
            self._outbox.record(
                events.DELETED, thread.id, version, events.deleted_event_data(thread)
            ),
            *self._postings.remove(thread.id, title_keys(thread.title)),
        )

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Return the first response to an idempotency key."""
        return self._responses.find_response(key)

    def check(self) -> None:
        """Check that the datastore is reachable."""
        self._db.check_table(tables.THREADS)

    def _list(self, index: str, sort: str, limit: int, after: Key | None) -> Page[Thread]:
        before = after[0] if after else None
        found = self._db.query_newest(
            THREADS, index, sort, shards=tables.SHARDS, limit=limit + 1, before=before
        )
        threads = self._with_author_names(found[:limit])
        return Page(threads, (found[limit - 1][sort],) if len(found) > limit else None)

    def _with_terms(self, terms: Sequence[str], thread_ids: Sequence[str]) -> list[Item]:
        """Read up to 100 threads; return those that have these terms in their current titles."""
        found = self._db.get_by_partition(THREADS, "id", thread_ids)
        live = [
            found[one] for one in thread_ids if one in found if not items.is_deleted(found[one])
        ]
        return [item for item in live if finds(terms, item["title"])]

    def _with_author_names(self, found: Sequence[Item]) -> list[Thread]:
        """Return threads with their authors' current names, in one call."""
        names = self._users.display_names(item["author_id"] for item in found)
        return [
            items.to_thread(item, names.get(item["author_id"], FORMER_MEMBER)) for item in found
        ]

    def _apply(self, *actions: Action) -> None:
        try:
            self._db.transact(actions)
        except TransactionCanceled as canceled:
            raise ConcurrentModification from canceled


def _reach(page: Sequence[str], size: int) -> str:
    """Return the id down to which a page of postings is complete; empty at the end."""
    return page[-1] if len(page) == size else ""


def _may_be_in_all(thread_id: str, pages: Iterable[Sequence[str]], size: int) -> bool:
    """Return whether each page of postings has this id, or does not reach down to it."""
    return all(thread_id in page or thread_id < _reach(page, size) for page in pages)
