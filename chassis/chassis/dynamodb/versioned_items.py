"""Items of a replica: each is only replaced by newer versions, whatever their order of arrival."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chassis.dynamodb.database import Action, Database, Item

NEWER = "attribute_not_exists(id) OR version < :version"
"""The condition of a write: no item, or one with an older version."""


class VersionedItems:
    """Items with `id` and `version` in one table with the partition key `id`."""

    def __init__(
        self, database: Database, table: str, defaults: Mapping[str, Any] | None = None
    ) -> None:
        """Create the access to a table; `defaults` are attributes that older items lack."""
        self._db = database
        self.table = table
        self._defaults = dict(defaults or {})

    def key(self, item_id: str) -> tuple[str, dict[str, str]]:
        """Return the table and key of an item, for `Database.get_items`."""
        return self.table, {"id": item_id}

    def get(self, item_id: str) -> Item | None:
        """Read an item; strongly consistent."""
        return self._db.get(*self.key(item_id))

    def read_copies(self, records: Sequence[Item]) -> dict[str, Item]:
        """Read the items of up to 100 records, by id; return those that exist."""
        found = self._db.get_by_partition(self.table, "id", [record["id"] for record in records])
        return {one: self._defaults | item for one, item in found.items()}

    def read_page(self, after: str, limit: int) -> tuple[list[Item], str | None]:
        """Read a page of all items, and the start of the next page; `after` is empty at first."""
        found, last = self._db.scan(self.table, json.loads(after) if after else None, limit=limit)
        items = [self._defaults | item for item in found]
        return items, json.dumps(last) if last else None

    def put(self, item: Item) -> Action:
        """Build the action that writes an item; its condition fails if the stored one is as new."""
        return self._db.put(self.table, item, NEWER, version=item["version"])

    def store(self, item: Item) -> Item:
        """Write an item unless the stored one is as new; return the newest."""
        if self._db.put_item_if(self.table, item, NEWER, version=item["version"]):
            return item
        return self.get(item["id"]) or item
