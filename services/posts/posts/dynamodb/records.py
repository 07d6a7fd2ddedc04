"""Records of posts in the service's tables, for a move from or to the monolith."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from chassis.dynamodb.database import Action, Database, Item
from chassis.dynamodb.versioned_items import NEWER
from chassis.ownership.records import (
    TOMBSTONE,
    IdempotencyRecords,
    Record,
    item_size,
    scope_owner,
    write_in_batches,
)
from posts.dynamodb import items, tables
from posts.dynamodb.user_replica import UserReplica

POSTS, LOCATIONS, THREADS = tables.POSTS.name, tables.LOCATIONS.name, tables.THREADS.name


class PostRecords:
    """Implementation of `chassis.ownership.records.RecordStore`."""

    def __init__(self, database: Database) -> None:
        self._db = database
        users = UserReplica(database)
        self._responses = IdempotencyRecords(
            database, tables.IDEMPOTENCY, lambda record: users.require_present(scope_owner(record))
        )

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of posts; those of deleted threads are tombstones."""
        found, last = self._db.scan(POSTS, json.loads(after) if after else None, limit=limit)
        return list(self._records(found).values()), json.dumps(last) if last else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read up to 100 posts by id; return those that exist."""
        locations = self._db.get_by_partition(LOCATIONS, "id", ids)
        keys = [{"thread_id": one["thread_id"], "id": post} for post, one in locations.items()]
        if not keys:
            return {}
        found = self._db.get_items(*((POSTS, key) for key in keys))
        return self._records([item for item in found if item])

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Store posts, each unless the stored version is as new."""
        shown = [record for record in records if TOMBSTONE not in record]
        write_in_batches(self._db, [(self._put(one, force), 2 * item_size(one)) for one in shown])

    def raise_version(self, record: Record, version: int) -> bool:
        """Raise the version of a post, unless it changed since it was read."""
        key = {"thread_id": record["thread_id"], "id": record["id"]}
        return self._db.update_item_if(POSTS, key, {"version": version}, record["version"])

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Read responses to idempotency keys."""
        yield from self._responses.read_since(since)

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Store responses to idempotency keys."""
        self._responses.write(records)

    def _put(self, record: Record, force: bool) -> list[Action]:
        values: dict[str, Any] = {} if force else {"version": record["version"]}
        return [
            self._db.put(POSTS, items.to_item(record), "" if force else NEWER, **values),
            self._db.put(LOCATIONS, {"id": record["id"], "thread_id": record["thread_id"]}),
        ]

    def _records(self, found: Sequence[Item]) -> dict[str, Record]:
        thread_ids = list(dict.fromkeys(item["thread_id"] for item in found))
        threads = dict[str, Item]()
        for first in range(0, len(thread_ids), 100):
            threads |= self._db.get_by_partition(THREADS, "id", thread_ids[first : first + 100])
        records = dict[str, Record]()
        for item in found:
            if threads.get(item["thread_id"], {}).get("deleted"):
                tombstone = {"id": item["id"], "version": item["version"], TOMBSTONE: True}
                records[item["id"]] = tombstone
            else:
                records[item["id"]] = items.from_item(item)
        return records
