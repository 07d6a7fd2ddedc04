"""Bulk writes of the services' own stores to DynamoDB tables."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from chassis.dynamodb.database import Action, Database, Item

_MOST = 25  # DynamoDB's maximum of items per call


class Bulk(Database):
    """Database that collects the writes of stores, and writes them in batches, unconditionally.

    The content counts as published, so items of outboxes are skipped.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        super().__init__(client, prefix)
        self._left: dict[str, list[dict[str, Any]]] = {}

    def transact(self, actions: Sequence[Action]) -> None:
        """Collect the items of a transaction; all are new."""
        for action in actions:
            if put := action.request.get("Put"):
                self._take(put["TableName"], put["Item"])

    def put_item_if(self, table: str, item: Item, condition: str, **values: Any) -> bool:  # noqa: ARG002
        """Collect an item."""
        self._take(self.prefix + table, self.serialize(item))
        return True

    def add(self, table: str, items: Iterable[Item]) -> None:
        """Collect items of any table."""
        for item in items:
            self._take(self.prefix + table, self.serialize(item))

    def finish(self) -> None:
        """Write the remaining items."""
        for table in list(self._left):
            self._write(table)

    def _take(self, table: str, item: Mapping[str, Any]) -> None:
        if table.endswith("-outbox"):
            return
        waiting = self._left.setdefault(table, [])
        waiting.append({"PutRequest": {"Item": item}})
        if len(waiting) >= _MOST:
            self._write(table)

    def _write(self, table: str) -> None:
        rest = iter(self._left.pop(table))
        while batch := list(islice(rest, _MOST)):
            wanted: Any = {table: batch}
            while wanted:
                wanted = self.client.batch_write_item(RequestItems=wanted)["UnprocessedItems"]
