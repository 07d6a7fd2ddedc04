"""Comparison of the postings of titles, and of the lists' keys, with the threads."""

import json
from collections.abc import Sequence

from chassis.dynamodb.database import Database, Item, list_shard
from chassis.ownership.index_check import ATTEMPTS, apply_repair, differing_keys
from chassis.ownership.records import Record, id_batches
from threads.dynamodb import items, tables
from threads.dynamodb.postings import title_keys

THREADS, WORDS = tables.THREADS.name, tables.WORDS.name
_LIST_KEYS = ("list_shard", "activity_key")


class ThreadIndexCheck:
    """Implementation of `chassis.ownership.index_check.IndexCheck`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def check_records(self, records: Sequence[Record], *, repair: bool) -> dict[str, str]:
        """Find threads without a posting for a key of their title, or missing in a list."""
        wrong = dict[str, str]()
        suspects = [record["id"] for record in records]
        for _ in range(ATTEMPTS):
            if not suspects:
                break
            threads = self._db.get_by_partition(THREADS, "id", suspects)
            postings = self._postings(
                [
                    {"word": word, "thread_id": one}
                    for one, thread in threads.items()
                    for word in _keys(thread)
                ]
            )
            again = self._db.get_by_partition(THREADS, "id", suspects)
            suspects = []
            for one, thread in threads.items():
                if again.get(one) != thread:
                    suspects.append(one)
                    continue
                missing = sorted(word for word in _keys(thread) if (word, one) not in postings)
                if problem := self._check(thread, missing, repair=repair):
                    wrong[one] = problem
        return wrong

    def check_entries(
        self, after: str, limit: int, *, repair: bool
    ) -> tuple[dict[str, str], str | None]:
        """Find postings for keys that their thread's title does not have."""
        found, last = self._db.scan(WORDS, json.loads(after) if after else None, limit=limit)
        suspects = [(one["word"], one["thread_id"]) for one in self._stray(found)]
        # The title may have changed since the postings were read.
        now = self._postings([{"word": word, "thread_id": one} for word, one in suspects])
        again = [{"word": word, "thread_id": one} for word, one in sorted(now)]
        wrong = dict[str, list[str]]()
        for posting in self._stray(again):
            wrong.setdefault(posting["thread_id"], []).append(posting["word"])
            if repair:
                key = {"word": posting["word"], "thread_id": posting["thread_id"]}
                apply_repair(
                    self._db,
                    [
                        self._db.delete(WORDS, key),
                        self._db.condition_check(
                            THREADS,
                            {"id": posting["thread_id"]},
                            "attribute_not_exists(id) OR version = :known",
                            known=posting["known"],
                        ),
                    ],
                )
        problems = {one: f"found by {', '.join(words)}" for one, words in wrong.items()}
        return problems, json.dumps(last) if last else None

    def _check(self, thread: Item, missing: Sequence[str], *, repair: bool) -> str:
        key, known = {"id": thread["id"]}, thread["version"]
        problems = []
        if missing:
            problems.append(f"not found by {', '.join(missing)}")
            if repair:
                check = self._db.condition_check(THREADS, key, "version = :known", known=known)
                entries = [{"word": word, "thread_id": thread["id"]} for word in missing]
                apply_repair(self._db, [check, *(self._db.put(WORDS, one) for one in entries)])
        wanted = dict[str, str]()
        if not items.is_deleted(thread):
            at = thread["last_activity_at"]
            wanted["list_shard"] = list_shard(thread["id"], tables.SHARDS)
            wanted["activity_key"] = tables.activity_key(at, thread["id"])
        have = {name: thread[name] for name in _LIST_KEYS if name in thread}
        if fields := differing_keys(have, wanted):
            problems.append(f"index key differs: {', '.join(fields)}")
            if repair and wanted:
                condition = "version = :known AND last_activity_at = :at"
                change = self._db.update_fields(
                    THREADS, key, wanted, condition, known=known, at=thread["last_activity_at"]
                )
                apply_repair(self._db, [change])
            elif repair:
                change = self._db.update(
                    THREADS,
                    key,
                    f"REMOVE {', '.join(fields)}",
                    "version = :known AND attribute_exists(deleted)",
                    known=known,
                )
                apply_repair(self._db, [change])
        return "; ".join(problems)

    def _postings(self, keys: Sequence[Item]) -> set[tuple[str, str]]:
        """Return those of some postings that exist."""
        found = list[Item | None]()
        for first in range(0, len(keys), 100):
            found += self._db.get_items(*((WORDS, key) for key in keys[first : first + 100]))
        return {(item["word"], item["thread_id"]) for item in found if item}

    def _stray(self, postings: Sequence[Item]) -> list[Item]:
        """Return the postings whose thread lacks the key, with the thread's version."""
        threads = dict[str, Item]()
        for ids in id_batches(list({one["thread_id"]: None for one in postings})):
            threads |= self._db.get_by_partition(THREADS, "id", ids)
        return [
            one | {"known": threads.get(one["thread_id"], {}).get("version", 0)}
            for one in postings
            if one["word"] not in _keys(threads.get(one["thread_id"]))
        ]


def _keys(thread: Item | None) -> frozenset[str]:
    """Return the keys by which a thread should be found."""
    return (
        frozenset() if thread is None or items.is_deleted(thread) else title_keys(thread["title"])
    )
