"""Posts as records for a move from or to the monolith: a `chassis.ownership.records.Copy`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from chassis.auth.user_replica import UserReplica
from chassis.dynamodb.database import Action, Database, Item, list_shard
from chassis.ownership.records import (
    TOMBSTONE,
    IdempotencyRecords,
    Record,
    item_size,
    write_in_batches,
)
from posts.dynamodb import tables
from posts.dynamodb.thread_replica import ThreadReplica
from posts.model import FORMER_MEMBER, Thread

POSTS, LOCATIONS, USERS = tables.POSTS.name, tables.LOCATIONS.name, tables.USERS.name
THREADS = tables.THREADS.name
REPLACED_TABLES = (
    *(tables.POSTS, tables.LOCATIONS, tables.THREADS, tables.USERS),
    tables.IDEMPOTENCY,
)
"""What a new stay of the domain begins without."""
OLDER = "attribute_not_exists(id) OR version < :version"
FIELDS = ("thread_id", "body", "html", "created_at", "edited_at", "deleted")


class PostRecords:
    """Posts in the service's own tables, and the copies of people and threads beside them."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._threads = ThreadReplica(database)
        self._answers = IdempotencyRecords(database, tables.IDEMPOTENCY)
        self._people = UserReplica(database, USERS, FORMER_MEMBER)

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of posts; those of deleted threads are on their way out."""
        items, last = self._db.scan(POSTS, json.loads(after) if after else None, limit=limit)
        return list(self._records(items).values()), json.dumps(last) if last else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read those of up to 100 posts that are there."""
        places = self._db.get_by_partition(LOCATIONS, "id", ids)
        keys = [{"thread_id": place["thread_id"], "id": one} for one, place in places.items()]
        if not keys:
            return {}
        found = self._db.get_items(*((POSTS, key) for key in keys))
        return self._records([item for item in found if item])

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Keep posts, each unless as new a version is here."""
        shown = [record for record in records if TOMBSTONE not in record]
        write_in_batches(self._db, [(self._put(one, force), 2 * item_size(one)) for one in shown])

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Give answers to idempotency keys."""
        yield from self._answers.read_since(since)

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Keep answers."""
        self._answers.write(records)

    def write_users(self, records: Iterable[Record]) -> None:
        """Keep copies of people (records of users), each unless as new a version is here."""
        self._people.write_records(records)

    def write_threads(self, records: Iterable[Record]) -> None:
        """Keep copies of threads (records of threads), each unless as new a version is here."""
        for record in records:
            title, locked = record.get("title", ""), record.get("locked", False)
            told = Thread(record["id"], title, locked, record["deleted"], record["version"])
            self._threads.store(told)

    def _put(self, record: Record, force: bool) -> list[Action]:
        item: Item = {name: record[name] for name in ("id", "version", *FIELDS)}
        item["written_by"] = record["author_id"]
        if not record["deleted"]:
            item["author_id"] = record["author_id"]
            item["list_shard"] = list_shard(record["id"], tables.SHARDS)
        values: dict[str, Any] = {} if force else {"version": record["version"]}
        return [
            self._db.put(POSTS, item, "" if force else OLDER, **values),
            self._db.put(LOCATIONS, {"id": record["id"], "thread_id": record["thread_id"]}),
        ]

    def _records(self, items: Sequence[Item]) -> dict[str, Record]:
        wanted = list(dict.fromkeys(item["thread_id"] for item in items))
        threads = dict[str, Item]()
        for first in range(0, len(wanted), 100):
            threads |= self._db.get_by_partition(THREADS, "id", wanted[first : first + 100])
        records = dict[str, Record]()
        for item in items:
            head = {"id": item["id"], "version": item["version"]}
            if threads.get(item["thread_id"], {}).get("deleted"):
                records[item["id"]] = head | {TOMBSTONE: True}
            else:
                told = {name: item[name] for name in FIELDS} | {"author_id": item["written_by"]}
                records[item["id"]] = head | told
        return records
