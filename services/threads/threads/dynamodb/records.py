"""Threads as records for a move from or to the monolith: a `chassis.ownership.records.Copy`.

What a thread shows of its posts is no part of a record: it is counted anew here, from the same
versions of posts that events tell of, so that each counts once whoever comes first.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from chassis.auth.user_replica import UserReplica
from chassis.dynamodb.database import Action, Database, Item, list_shard
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.ownership.records import IdempotencyRecords, Record, item_size, write_in_batches
from threads.dynamodb import tables
from threads.event_handlers import CountedPost, EventHandlers, UnknownThread
from threads.model import FORMER_MEMBER, title_words

THREADS, WORDS, USERS = tables.THREADS.name, tables.WORDS.name, tables.USERS.name
REPLACED_TABLES = (tables.THREADS, tables.WORDS, tables.TALLY, tables.USERS, tables.IDEMPOTENCY)
"""What a new stay of the domain begins without."""
FIELDS = ("title", "author_id", "created_at", "locked")
COUNTED_AT_ONCE = 98  # with the thread's own item below what one call reads and one writes
NEW, OLDER = "attribute_not_exists(id)", "version < :version"


class ThreadRecords:
    """Threads in the service's own tables, and the copies of people and posts beside them."""

    def __init__(self, database: Database, outbox: DynamoOutbox) -> None:
        self._db = database
        self._replicas = EventHandlers(database, outbox)
        self._answers = IdempotencyRecords(database, tables.IDEMPOTENCY)
        self._people = UserReplica(database, USERS, FORMER_MEMBER)

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of threads, deleted ones too."""
        items, last = self._db.scan(THREADS, json.loads(after) if after else None, limit=limit)
        return [_record(item) for item in items], json.dumps(last) if last else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read those of up to 100 threads that are or were there."""
        return {
            one: _record(item)
            for one, item in self._db.get_by_partition(THREADS, "id", ids).items()
        }

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Keep threads, each unless as new a version is here."""
        for first in range(0, len(records), 100):
            portion = records[first : first + 100]
            known = self._db.get_by_partition(THREADS, "id", [record["id"] for record in portion])
            write_in_batches(
                self._db,
                [(self._put(one, known.get(one["id"]), force), item_size(one)) for one in portion],
            )

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Give answers to idempotency keys."""
        yield from self._answers.read_since(since)

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Keep answers."""
        self._answers.write(records)

    def write_users(self, records: Iterable[Record]) -> None:
        """Keep copies of people (records of users), each unless as new a version is here."""
        self._people.write_records(records)

    def write_posts(self, records: Sequence[Record]) -> None:
        """Count posts (records of posts), each unless as new a version was counted."""
        shown = sorted((one for one in records if "gone" not in one), key=itemgetter("thread_id"))
        for thread_id, posts in groupby(shown, key=itemgetter("thread_id")):
            counted = [
                CountedPost(one["id"], one["version"], one["deleted"], one["created_at"])
                for one in posts
            ]
            for first in range(0, len(counted), COUNTED_AT_ONCE):
                try:
                    self._replicas.count(thread_id, counted[first : first + COUNTED_AT_ONCE])
                except UnknownThread:
                    break  # it came after its page was copied, and brings its posts by events

    def _put(self, record: Record, known: Item | None, force: bool) -> list[Action]:
        key, version = {"id": record["id"]}, record["version"]
        before = title_words(known["title"]) if known and "title" in known else frozenset[str]()
        condition, values = (NEW, {}) if known is None else (OLDER, {"version": version})
        if force:
            condition, values = "", {}
        if record["deleted"]:
            left = key | {"deleted": True, "version": version}
            head = self._db.put(THREADS, left, condition, **values)
            words = frozenset[str]()
        elif known is None or "deleted" in known:
            head = self._db.put(THREADS, _item(record), condition, **values)
            words = title_words(record["title"])
        else:
            # What is counted stays.
            change = "SET title = :title, locked = :locked, version = :version, "
            change += "author_id = :author_id, created_at = :created_at"
            told: dict[str, Any] = {name: record[name] for name in FIELDS} | {"version": version}
            head = self._db.update(THREADS, key, change, condition, **told)
            words = title_words(record["title"])
        places = {"thread_id": record["id"]}
        new = [self._db.put(WORDS, {"word": word} | places) for word in words - before]
        old = [self._db.delete(WORDS, {"word": word} | places) for word in before - words]
        return [head, *new, *old]


def _item(record: Record) -> Item:
    created = record["created_at"]
    return {name: record[name] for name in ("id", "version", *FIELDS)} | {
        "last_activity_at": created,
        "post_count": 0,
        "activity_key": tables.activity_key(created, record["id"]),
        "list_shard": list_shard(record["id"], tables.SHARDS),
    }


def _record(item: Item) -> Record:
    told = {"id": item["id"], "version": item["version"], "deleted": "deleted" in item}
    return told if told["deleted"] else told | {name: item[name] for name in FIELDS}
