"""DynamoDB tables, filled many items at a time by the services' own stores."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from chassis.dynamodb.database import Action, Database, Item

_MOST = 25  # items that DynamoDB takes in one call


class Bulk(Database):
    """Collects what stores write, and writes it in batches, without conditions.

    What is filled was published long ago, so no outbox gets an item.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        super().__init__(client, prefix)
        self._left: dict[str, list[dict[str, Any]]] = {}

    def transact(self, actions: Sequence[Action]) -> None:
        """Take what a transaction puts; all of it is new."""
        for action in actions:
            if put := action.request.get("Put"):
                self._take(put["TableName"], put["Item"])

    def put_item_if(self, table: str, item: Item, condition: str, **values: Any) -> bool:  # noqa: ARG002
        """Take an item."""
        self._take(self.prefix + table, self.serialize(item))
        return True

    def add(self, table: str, items: Iterable[Item]) -> None:
        """Take items of any table."""
        for item in items:
            self._take(self.prefix + table, self.serialize(item))

    def finish(self) -> None:
        """Write what was taken and not written yet."""
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
