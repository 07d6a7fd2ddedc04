"""People as records for a move from or to the monolith: a `chassis.ownership.records.Copy`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from chassis.dynamodb.database import Action, Database, Item, list_shard
from chassis.ownership.records import (
    IdempotencyRecords,
    Record,
    id_batches,
    item_size,
    write_in_batches,
)
from users.dynamodb import tables
from users.model import username_key

USERS, USERNAMES, ERASURES = tables.USERS.name, tables.USERNAMES.name, tables.ERASURES.name
OLDER = "attribute_not_exists(id) OR version < :version"
FIELDS = ("username", "display_name", "bio", "role", "suspended", "created_at", "password_hash")
REPLACED_TABLES = (tables.USERS, tables.USERNAMES, tables.ERASURES, tables.IDEMPOTENCY)
"""What a new stay of the domain begins without."""


class UserRecords:
    """People and erasures in the service's own tables."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._answers = IdempotencyRecords(database, tables.IDEMPOTENCY)

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page: first of people, then of those who were erased."""
        table, key = json.loads(after) if after else (USERS, None)
        items, last = self._db.scan(table, key, limit=limit)
        records = [_record(item) if table == USERS else _erased(item) for item in items]
        if last is not None:
            return records, json.dumps([table, last])
        return records, json.dumps([ERASURES, None]) if table == USERS else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read those of up to 100 people who are or were there."""
        found = {
            one: _record(item) for one, item in self._db.get_by_partition(USERS, "id", ids).items()
        }
        missing = [one for one in ids if one not in found]
        erased = self._db.get_by_partition(ERASURES, "id", missing)
        return found | {one: _erased(item) for one, item in erased.items()}

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Keep people, each unless as new a version is here."""
        erased = [record for record in records if record["erased"]]
        # Who was erased first: somebody else may have the name by now.
        for portion in id_batches([record["id"] for record in erased]):
            before = self._db.get_by_partition(USERS, "id", portion)
            self._free_names(before.values())
            wanted = (record for record in erased if record["id"] in portion)
            write_in_batches(
                self._db, [(self._erase(one, one["id"] in before), 0) for one in wanted]
            )
        kept = [self._keep(one, force=force) for one in records if not one["erased"]]
        write_in_batches(self._db, kept)

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Give answers to idempotency keys, and erasures that are not finished."""
        yield from self._answers.read_since(since)
        after: Item | None = None
        while True:
            items, after = self._db.scan(ERASURES, after)
            yield [{"kind": "erasure", **item} for item in items if not item["finished_at"]]
            if after is None:
                return

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Keep answers, and how far erasures are."""
        self._answers.write(records)
        for record in records:
            if record["kind"] == "erasure":
                item = {name: value for name, value in record.items() if name != "kind"}
                self._db.put_item_if(ERASURES, item, "")

    def _keep(self, record: Record, *, force: bool) -> tuple[list[Action], int]:
        item: Item = {"id": record["id"], "version": record["version"]}
        item |= {name: record[name] for name in FIELDS}
        item["list_shard"] = list_shard(record["id"], tables.SHARDS)
        condition: dict[str, Any] = {} if force else {"version": record["version"]}
        claim = {"name": username_key(record["username"]), "id": record["id"]}
        actions = [
            self._db.put(USERS, item, "" if force else OLDER, **condition),
            self._db.put(USERNAMES, claim),
        ]
        return actions, item_size(item)

    def _free_names(self, erased: Iterable[Item]) -> None:
        """Free the names of people, unless somebody else has them by now."""
        write_in_batches(
            self._db,
            (
                (
                    [
                        self._db.delete(
                            USERNAMES,
                            {"name": username_key(one["username"])},
                            "id = :id",
                            id=one["id"],
                        )
                    ],
                    0,
                )
                for one in erased
            ),
        )

    def _erase(self, record: Record, was_here: bool) -> list[Action]:
        """Make the actions that leave of somebody only that they were erased."""
        erasure = {name: record[name] for name in ("id", "version", "requested_at")}
        erasure |= {"finished_at": record["requested_at"], "waiting_for": list[str]()}
        actions = [self._db.put(ERASURES, erasure, "attribute_not_exists(id)")]
        if was_here:
            actions.append(self._db.delete(USERS, {"id": record["id"]}))
        return actions


def _record(item: Item) -> Record:
    return {"id": item["id"], "version": item["version"], "erased": False} | {
        name: item[name] for name in FIELDS
    }


def _erased(item: Item) -> Record:
    """Give who was erased; how far that is comes beside the records, as it changes by itself."""
    told = {name: item[name] for name in ("id", "version", "requested_at")}
    return told | {"erased": True}
