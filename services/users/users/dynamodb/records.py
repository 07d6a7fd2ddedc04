"""Records of users in the service's tables, for a move from or to the monolith."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from chassis.clock import format_timestamp
from chassis.dynamodb.database import Action, Database, Item
from chassis.dynamodb.versioned_items import NEWER
from chassis.ownership.records import (
    IdempotencyRecords,
    Record,
    id_batches,
    item_size,
    write_in_batches,
)
from users.dynamodb import items, tables
from users.model import username_key

USERS, USERNAMES, ERASURES = tables.USERS.name, tables.USERNAMES.name, tables.ERASURES.name


class UserRecords:
    """Implementation of `chassis.ownership.records.RecordStore`."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._responses = IdempotencyRecords(database, tables.IDEMPOTENCY, self._require_present)

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page: first of users, then of erased ones."""
        table, key = json.loads(after) if after else (USERS, None)
        found, last = self._db.scan(table, key, limit=limit)
        to_record = items.to_record if table == USERS else items.erased_record
        records = [to_record(item) for item in found]
        if last is not None:
            return records, json.dumps([table, last])
        return records, json.dumps([ERASURES, None]) if table == USERS else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """Read up to 100 users by id; return those who exist or existed."""
        found = self._db.get_by_partition(USERS, "id", ids)
        missing = [user_id for user_id in ids if user_id not in found]
        erased = self._db.get_by_partition(ERASURES, "id", missing)
        return {user_id: items.to_record(item) for user_id, item in found.items()} | {
            user_id: items.erased_record(item) for user_id, item in erased.items()
        }

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        """Store users, each unless the stored version is as new."""
        erased = [record for record in records if record["erased"]]
        # Erased users first: somebody else may have the name now.
        for portion in id_batches([record["id"] for record in erased]):
            before = self._db.get_by_partition(USERS, "id", portion)
            self._free_names(before.values())
            wanted = (record for record in erased if record["id"] in portion)
            write_in_batches(self._db, [([one], 0) for each in wanted for one in self._erase(each)])
        # Their registration's response may have been copied before; from now on, none is.
        self._responses.delete_about({record["id"] for record in erased})
        live = [self._put(one, force=force) for one in records if not one["erased"]]
        write_in_batches(self._db, live)

    def raise_version(self, record: Record, version: int) -> bool:
        """Raise the version of a user, unless they changed since they were read.

        The record may say which sessions have ended, since a restored one may not know.
        """
        key = {"id": record["id"]}
        if record["erased"]:
            return self._db.update_item_if(ERASURES, key, {"version": version}, record["version"])
        ended = record["sessions_valid_from"]
        changed = {"version": version, "sessions_valid_from": ended}
        return self._db.update_item_if(USERS, key, changed, record["version"])

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        """Read responses to idempotency keys, and erasures unfinished or finished since then.

        At first, read all erasures: the monolith may know one that has finished here as unfinished.
        """
        yield from self._responses.read_since(since)
        after: Item | None = None
        while True:
            found, after = self._db.scan(ERASURES, after)
            yield [
                {"kind": "erasure", **item}
                for item in found
                if not (since and item["finished_at"])
                or item["finished_at"] >= format_timestamp(since)
            ]
            if after is None:
                return

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        """Store responses to idempotency keys, and the progress of erasures."""
        self._responses.write(records)
        erasures = {record["id"]: record for record in records if record["kind"] == "erasure"}
        # `write` erases nothing for a user who came and went during the move and was never copied.
        # An erasure is stored last: if a move dies here, the next one finds it new again.
        for portion in id_batches([*erasures]):
            known = self._db.get_by_partition(ERASURES, "id", portion)
            self._responses.delete_about(set(portion) - known.keys())
        for record in erasures.values():
            item = {name: value for name, value in record.items() if name != "kind"}
            self._db.put_item_if(ERASURES, item, "")

    def _require_present(self, record: Record) -> Action:
        """Build the check that the user of a registration's response was not erased."""
        key = {"id": record["answer"]["id"]}
        return self._db.condition_check(ERASURES, key, "attribute_not_exists(id)")

    def _put(self, record: Record, *, force: bool) -> tuple[list[Action], int]:
        item = items.from_record(record)
        condition: dict[str, Any] = {} if force else {"version": record["version"]}
        claim = {"name": username_key(record["username"]), "id": record["id"]}
        actions = [
            self._db.put(USERS, item, "" if force else NEWER, **condition),
            self._db.put(USERNAMES, claim),
        ]
        return actions, item_size(item)

    def _free_names(self, erased: Iterable[Item]) -> None:
        """Free the names of erased users, unless somebody else has them now."""
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

    def _erase(self, record: Record) -> list[Action]:
        """Build the actions that replace a user by the erasure, each for itself.

        The erasure may be stored already, with its progress, while the user is not deleted yet.
        """
        erasure = {name: record[name] for name in ("id", "version", "requested_at")}
        erasure |= {"finished_at": record["requested_at"], "waiting_for": list[str]()}
        return [
            self._db.put(ERASURES, erasure, "attribute_not_exists(id)"),
            self._db.delete(USERS, {"id": record["id"]}),
        ]
