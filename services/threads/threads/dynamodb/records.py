"""Records of threads in the service's tables, for a move from or to the monolith.

The number of posts is not part of a record. It is counted here from the same versions of posts as
in events, so that each post counts once, whether its record or its event comes first.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from chassis.clock import Clock
from chassis.dynamodb.database import Action, Database, Item
from chassis.dynamodb.versioned_items import NEWER
from chassis.ownership.records import (
    IdempotencyRecords,
    Record,
    item_size,
    scope_owner,
    write_in_batches,
)
from threads.dynamodb import items, tables
from threads.dynamodb.postings import Postings, title_keys
from threads.dynamodb.user_replica import UserReplica

THREADS = tables.THREADS.name
NEW = "attribute_not_exists(id)"


class ThreadRecords:
    """Implementation of `chassis.ownership.records.RecordStore`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock
        self._postings = Postings(database)
        users = UserReplica(database)
        self._responses = IdempotencyRecords(
            database, tables.IDEMPOTENCY, lambda record: users.require_present(scope_owner(record))
        )

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of threads, deleted ones too."""
        found, last = self._db.scan(THREADS, json.loads(after) if after else None, limit=limit)
        return [items.to_record(item) for item in found], json.dumps(last) if last else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read up to 100 threads by id; return those that exist or existed."""
        found = self._db.get_by_partition(THREADS, "id", ids)
        return {thread_id: items.to_record(item) for thread_id, item in found.items()}

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Store threads, each unless the stored version is as new."""
        for first in range(0, len(records), 100):
            portion = records[first : first + 100]
            known = self._db.get_by_partition(THREADS, "id", [record["id"] for record in portion])
            rests = dict[str, frozenset[str]]()
            changes = list[tuple[list[Action], int]]()
            for one in portion:
                actions, rests[one["id"]] = self._put(one, known.get(one["id"]), force)
                changes.append((actions, item_size(one)))
            write_in_batches(self._db, changes)
            for thread_id, rest in rests.items():
                self._postings.remove_rest(thread_id, rest)

    def raise_version(self, record: Record, version: int) -> bool:
        """Raise the version of a thread, unless it changed since it was read."""
        key, changed = {"id": record["id"]}, {"version": version}
        return self._db.update_item_if(THREADS, key, changed, record["version"])

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Read responses to idempotency keys."""
        yield from self._responses.read_since(since)

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Store responses to idempotency keys."""
        self._responses.write(records)

    def _put(
        self, record: Record, known: Item | None, force: bool
    ) -> tuple[list[Action], frozenset[str]]:
        """Build the actions that store a thread; also return the keys that are left to remove."""
        key, version = {"id": record["id"]}, record["version"]
        old = title_keys(known["title"]) if known and "title" in known else frozenset[str]()
        values: dict[str, Any] = {}
        condition = NEW if known is None else NEWER
        if force:
            condition = ""
        elif known is not None:
            values = {"version": version}
        if record["deleted"]:
            head = self._db.put(
                THREADS, items.tombstone(record["id"], version), condition, **values
            )
            new = frozenset[str]()
        elif known is None or items.is_deleted(known):
            item = items.from_record(record, self._clock())
            head = self._db.put(THREADS, item, condition, **values)
            new = title_keys(record["title"])
        else:
            # The counters stay.
            head = self._db.update_fields(THREADS, key, items.state_of(record), condition, **values)
            new = title_keys(record["title"])
        postings, rest = self._postings.change(record["id"], old, new)
        return [head, *postings], rest
