"""Postings of titles: an entry for each key of a title, by which a search finds the thread.

DynamoDB finds items of a partition only by the beginning of their sort key, which is the thread's
id, so that results are ordered by age. So the partition is a key of `chassis.words`, and the titles
of the threads that have it decide.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest

from chassis import words
from chassis.concurrency import retry_on_conflict
from chassis.dynamodb.database import Action, Database, TransactionCanceled
from chassis.ownership.records import MAX_ACTIONS
from threads.dynamodb import items, tables
from threads.ports import ConcurrentModification

THREADS, WORDS = tables.THREADS.name, tables.WORDS.name
MAX_LOOKUPS = 8
ROOM = MAX_ACTIONS - 3
"""Actions for postings in a transaction that also writes a thread, its event and a response."""


def title_keys(title: str) -> frozenset[str]:
    """Return the keys of a title."""
    places = words.beginnings(title)
    return frozenset(chain.from_iterable(words.index_keys(place) for place in places))


def lookup_keys(terms: Iterable[str]) -> frozenset[str]:
    """Return keys of each title with these terms: one or more of each term, up to 8 together."""
    rounds = zip_longest(*(words.search_keys(term) for term in terms))
    distinct = dict.fromkeys(key for row in rounds for key in row if key is not None)
    return frozenset(list(distinct)[:MAX_LOOKUPS])


class Postings:
    """The table of postings."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, thread_id: str, keys: Iterable[str]) -> list[Action]:
        """Build the actions that add postings of a thread."""
        return [self._db.put(WORDS, {"word": key, "thread_id": thread_id}) for key in keys]

    def remove(self, thread_id: str, keys: Iterable[str]) -> list[Action]:
        """Build the actions that remove postings of a thread."""
        return [self._db.delete(WORDS, {"word": key, "thread_id": thread_id}) for key in keys]

    def change(
        self, thread_id: str, old: frozenset[str], new: frozenset[str]
    ) -> tuple[list[Action], frozenset[str]]:
        """Build up to `ROOM` actions that change the postings of a thread.

        Also return the keys that are left to remove: two long titles without a common word can
        have more postings than one transaction has actions.
        """
        added, removed = new - old, sorted(old - new)
        fitting = ROOM - len(added)
        actions = self.add(thread_id, added) + self.remove(thread_id, removed[:fitting])
        return actions, frozenset(removed[fitting:])

    def remove_rest(self, thread_id: str, keys: frozenset[str]) -> None:
        """Remove postings that a change of the title has left, unless the title has them again."""

        def attempt() -> None:
            item = self._db.get(THREADS, {"id": thread_id})
            if item is None:
                return
            used = frozenset[str]() if items.is_deleted(item) else title_keys(item["title"])
            unchanged = self._db.condition_check(
                THREADS, {"id": thread_id}, "version = :known", known=item["version"]
            )
            try:
                self._db.transact([unchanged, *self.remove(thread_id, keys - used)])
            except TransactionCanceled as canceled:
                raise ConcurrentModification from canceled

        if keys:
            retry_on_conflict(attempt, ConcurrentModification)

    def read(self, key: str, before: str | None, size: int) -> Sequence[str]:
        """Read the ids of a page of threads with a key in their titles, newest first."""
        condition, values = "word = :word", {"word": key}
        if before is not None:
            condition += " AND thread_id < :before"
            values["before"] = before
        found = self._db.query(WORDS, condition, limit=size, ascending=False, **values)
        return [item["thread_id"] for item in found]
