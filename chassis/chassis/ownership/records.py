"""The record port: access of an extraction to a domain's records, page by page.

A record is the owner's complete state of one thing as JSON, in the same format on both sides, with
at least `id` and `version`. The target stores it unless it has the same or a newer version.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol

from chassis.batching import batched
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.dynamodb.tables import Table
from chassis.idempotency.keys import RETENTION, IdempotencyKey
from chassis.idempotency.store import item_key
from chassis.messaging.dynamodb_outbox import SHARDS

Record = dict[str, Any]
MAX_ACTIONS, MAX_BYTES = 100, 3 * 1024 * 1024
READ_BATCH = 100
TOMBSTONE = "gone"
"""Field of records that are no longer visible; the other side need not have them."""


class RecordStore(Protocol):
    """One side's records of a domain."""

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of records, and the start of the next page; `after` is empty at first."""

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read up to 100 records by id; return those that exist."""

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Store records, each unless the stored version is as new; with `force` always."""

    def raise_version(self, record: Record, version: int) -> bool:
        """Raise the version of a record; return False if it changed since it was read."""

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Return the domain's auxiliary records written since then.

        These are responses to idempotency keys, and the progress of erasures.
        """

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Store auxiliary records."""


class Replica(Protocol):
    """A component's copy of what it needs of another domain's records."""

    def project(self, record: Record) -> Record:
        """Return the copy that the replica should have of the owner's record."""

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of copies, and the start of the next page; `after` is empty at first."""

    def read_copies(self, records: Sequence[Record]) -> dict[str, Record]:
        """Read the copies of up to 100 records, by id; return those that exist."""

    def write_records(self, records: Sequence[Record]) -> None:
        """Store copies of the owner's records, each unless the stored version is as new."""


def record_hash(record: Record) -> str:
    """Return a record's hash, equal on both sides for equal records."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def differing_fields(wanted: Record, found: Record | None) -> list[str]:
    """Return the fields in which two records differ; `missing` without a second record.

    A tombstone on one side equals a missing record on the other: deletions are final.
    """
    if wanted.get(TOMBSTONE):
        return []
    if found is None:
        return ["missing"]
    if found.get(TOMBSTONE):
        return []
    if record_hash(wanted) == record_hash(found):
        return []
    names = sorted(wanted.keys() | found.keys())
    return [name for name in names if wanted.get(name) != found.get(name)]


def write_in_batches(database: Database, changes: Iterable[tuple[list[Action], int]]) -> None:
    """Apply changes, each with its actions and bytes: many per transaction, each atomic.

    If a condition fails because the stored version is as new, the other changes of the batch are
    applied one by one.
    """
    listed = [(actions, len(actions), size) for actions, size in changes]
    while listed:
        portion, count, total = list[list[Action]](), 0, 0
        for actions, number, size in listed:
            if portion and (count + number > MAX_ACTIONS or total + size > MAX_BYTES):
                break
            portion.append(actions)
            count, total = count + number, total + size
        listed = listed[len(portion) :]
        try:
            database.transact([action for actions in portion for action in actions])
        except TransactionCanceled:
            if len(portion) > 1:
                for actions in portion:
                    write_in_batches(database, [(actions, 0)])


def item_size(item: Item) -> int:
    """Return the approximate size of an item in bytes."""
    return len(json.dumps(item, ensure_ascii=False).encode())


def delete_all_items(database: Database, tables: Iterable[Table]) -> int:
    """Delete all items of some tables, left by an earlier extraction; return their number."""
    count = 0
    for table in tables:
        keys = [table.partition, *([table.sort] if table.sort else [])]
        after: Item | None = None
        while True:
            items, after = database.scan(table.name, after, keys=keys)
            database.delete_items(table.name, items)
            count += len(items)
            if after is None:
                break
    return count


class IdempotencyRecords:
    """Records of idempotency responses, in a table of `chassis.idempotency.store`.

    `permission` builds the check that a record may be stored. The other side may learn later than
    this one that the owner of a key was erased, so it may still have their responses.
    """

    def __init__(
        self, database: Database, table: Table, permission: Callable[[Record], Action]
    ) -> None:
        self._db = database
        self._table = table.name
        self._permission = permission

    def read_since(self, since: datetime | None) -> Iterator[list[Record]]:
        """Yield the responses stored since then."""
        first = int((since + RETENTION).timestamp()) if since else 0
        after: Item | None = None
        while True:
            items, after = self._db.scan(self._table, after, least=("expires", first))
            yield [
                {"kind": "answer", "scope": f"{item['owner_id']} {item['request_key']}"}
                | {name: item[name] for name in ("fingerprint", "answer", "expires")}
                for item in items
            ]
            if after is None:
                return

    def write(self, records: Iterable[Record]) -> None:
        """Store responses, as far as it is permitted."""
        by_check = dict[str, tuple[Action, list[Item]]]()
        for record in records:
            if record["kind"] == "answer":
                item = _item_key(record["scope"]) | {
                    name: record[name] for name in ("fingerprint", "answer", "expires")
                }
                check = self._permission(record)
                # A transaction has only one action on each item, so one check for all of an owner.
                name = json.dumps(check.request, sort_keys=True)
                by_check.setdefault(name, (check, []))[1].append(item)
        for check, items in by_check.values():
            sized = ((item, item_size(item)) for item in items)
            for portion in batched(sized, MAX_ACTIONS - 1, MAX_BYTES):
                puts = [self._db.put(self._table, item) for item, _ in portion]
                with suppress(TransactionCanceled):
                    self._db.transact([*puts, check])

    def delete_about(self, ids: Collection[str]) -> None:
        """Delete the responses about the records with these ids, regardless of the keys' owners."""
        if not ids:
            return
        after: Item | None = None
        while True:
            items, after = self._db.scan(self._table, after)
            found = [item for item in items if item["answer"].get("id") in ids]
            keys = [{name: one[name] for name in ("owner_id", "request_key")} for one in found]
            self._db.delete_items(self._table, keys)
            if after is None:
                return


def scope_owner(record: Record) -> str:
    """Return the owner of the idempotency key of a response's record."""
    owner: str = record["scope"].rsplit(" ", 2)[0]
    return owner


def _item_key(scope: str) -> dict[str, str]:
    """Return the key of the item for an idempotency key's scope: path and key have no spaces."""
    owner, path, key = scope.rsplit(" ", 2)
    return item_key(IdempotencyKey(owner, path, key, ""))


class ChangeFeed:
    """The changes of a service's things, according to the events in its outbox."""

    def __init__(self, database: Database, table: Table, types: Iterable[str]) -> None:
        self._db = database
        self._table = table.name
        self._types = frozenset(types)

    def read_since(self, since: datetime) -> list[tuple[str, str]]:
        """Return the events recorded since then, published or not: their ids and subjects."""
        milliseconds = f"{max(0, int(since.timestamp() * 1000)):012x}"
        after = f"{milliseconds[:8]}-{milliseconds[8:]}"
        found = list[tuple[str, str]]()
        for shard in map(str, range(SHARDS)):
            last = after
            while items := self._db.query(
                self._table,
                "list_shard = :shard AND id > :after",
                limit=500,
                ascending=True,
                shard=shard,
                after=last,
            ):
                events = (json.loads(item["event"]) for item in items if "event" in item)
                found += [
                    (event["id"], event["subject"])
                    for event in events
                    if event["type"] in self._types
                ]
                last = items[-1]["id"]
        return found


def id_batches(ids: Sequence[str]) -> Iterator[list[str]]:
    """Split ids into batches for one call."""
    for portion in batched(((one, 0) for one in ids), READ_BATCH, 1):
        yield [one for one, _ in portion]
