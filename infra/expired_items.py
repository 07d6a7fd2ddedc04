"""Deletion of expired items in local runs, where no TTL does it: Dynoxide keeps them forever.

Passes over all tables read a page at a time and delete item by item. A request therefore never
waits for more than one short call.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chassis.clock import Clock
from chassis.dynamodb.tables import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE_SIZE = 200
"""Items read at a time; at most as many are deleted."""
_EXPIRED = "#expires <= :now"


class ExpiredItems:
    """The expired items in those of some tables that have a TTL attribute."""

    def __init__(
        self, client: DynamoDBClient, prefix: str, tables: Iterable[Table], clock: Clock
    ) -> None:
        self._client, self._prefix, self._clock = client, prefix, clock
        self._tables = [(table, table.ttl_attribute) for table in tables if table.ttl_attribute]
        self._position, self._after = 0, dict[str, Any]()

    def delete_page(self) -> bool:
        """Delete the expired items of the next page; return whether it was the last of a pass.

        After a failure, the same page is the next one.
        """
        if not self._tables:
            return True
        table, attribute = self._tables[self._position]
        # By placeholders, because names may be reserved words.
        names = {"#partition": table.partition} | ({"#sort": table.sort} if table.sort else {})
        now = {":now": {"N": str(int(self._clock().timestamp()))}}
        page = self._client.scan(
            TableName=self._prefix + table.name,
            Limit=PAGE_SIZE,
            ProjectionExpression=", ".join(names),
            FilterExpression=_EXPIRED,
            ExpressionAttributeNames={"#expires": attribute, **names},
            ExpressionAttributeValues=now,
            **self._after,
        )
        for key in page["Items"]:
            # The condition fails if the item was renewed or deleted since it was read.
            with suppress(self._client.exceptions.ConditionalCheckFailedException):
                self._client.delete_item(
                    TableName=self._prefix + table.name,
                    Key=key,
                    ConditionExpression=_EXPIRED,
                    ExpressionAttributeNames={"#expires": attribute},
                    ExpressionAttributeValues=now,
                )
        if last := page.get("LastEvaluatedKey"):
            self._after = {"ExclusiveStartKey": last}
            return False
        self._position, self._after = (self._position + 1) % len(self._tables), {}
        return self._position == 0
