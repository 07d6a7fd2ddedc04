"""DynamoDB with plain dicts, and transactions that report which condition failed."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chassis import deadline
from chassis.dynamodb import attribute_values, scatter_gather
from chassis.dynamodb.tables import Table
from chassis.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = attribute_values.Item

CONDITION_FAILED = "ConditionalCheckFailed"
# Two attempts take less than a component's timeout for its peer.
CONNECT_TIMEOUT = 0.5  # seconds
READ_TIMEOUT = 1.0  # seconds

_MAX_ATTEMPTS = 8
_CONCURRENT_TRANSACTION = {"TransactionConflictException", "TransactionInProgressException"}
_RETRYABLE_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


@dataclass(frozen=True)
class Action:
    """One action of a transaction: an entry of `TransactItems`, with a label to recognize it."""

    request: dict[str, Any]
    label: str = ""

    def labelled(self, label: str) -> Action:
        """Return the action with a label."""
        return replace(self, label=label)


class _Busy(Unavailable):
    """Another transaction holds the item, or an earlier attempt of this one is still running."""


class TransactionCanceled(Exception):
    """A condition did not hold, so nothing of the transaction was applied."""

    def __init__(self, failed_labels: Iterable[str]) -> None:
        self.failed_labels = frozenset(failed_labels)
        super().__init__(", ".join(sorted(self.failed_labels)))

    def failed(self, label: str) -> bool:
        """Return whether the condition of an action with this label did not hold."""
        return label in self.failed_labels


def list_shard(identifier: str, shards: int) -> str:
    """Return the shard of an item in a global list, by the random end of a UUID.

    A global list is spread over several partitions, so that none becomes hot.
    """
    return str(int(identifier[-4:], 16) % shards)


def connect() -> DynamoDBClient:
    """Build the client; boto3 finds region, endpoint and credentials itself."""
    client = boto3.client(
        "dynamodb",
        config=Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=32,
            parameter_validation=False,
            # Cached: boto3 would rebuild it from twenty pieces for each call.
            user_agent=f"Boto3/{boto3.__version__} Botocore/{botocore.__version__}",
        ),
    )
    attribute_values.skip_response_parsing(client)
    return client


class Database:
    """The tables with one prefix; several databases may share a `client`."""

    def __init__(self, client: DynamoDBClient, prefix: str) -> None:
        self.client = client
        self.prefix = prefix

    def get(self, table: str, key: Mapping[str, str], *, consistent: bool = True) -> Item | None:
        """Read one item by its key."""
        answer = self._call(
            "get_item",
            TableName=self.prefix + table,
            Key=self.serialize(key),
            ConsistentRead=consistent,
        )
        return self.deserialize(answer["Item"]) if "Item" in answer else None

    def get_items(
        self,
        *wanted: tuple[str, Mapping[str, str]],
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> list[Item | None]:
        """Read up to 100 items of any tables by table and key, in one call.

        Strongly consistent. The items are in the order of the keys, None for a missing one. For
        a table in `only`, just these attributes are read; they must include the key's.
        """
        left: dict[str, Any] = {}
        names: dict[str, tuple[str, ...]] = {}
        places = [(self.prefix + table, *key.values()) for table, key in wanted]
        # DynamoDB refuses duplicate keys.
        for (table, *_), (given, key) in dict(zip(places, wanted, strict=True)).items():
            names[table] = tuple(key)
            if table not in left:
                left[table] = {"Keys": [], "ConsistentRead": True}
                if only and given in only:
                    left[table]["ProjectionExpression"] = ", ".join(only[given])
            left[table]["Keys"].append(self.serialize(key))
        found: dict[tuple[str, ...], Item] = {}
        for attempt in range(_MAX_ATTEMPTS):
            if not left:
                return [found.get(place) for place in places]
            if attempt:
                _back_off(attempt)
            answer = self._call("batch_get_item", RequestItems=left)
            for table, raw in answer["Responses"].items():
                for item in map(self.deserialize, raw):
                    found[table, *(item[name] for name in names[table])] = item
            left = answer.get("UnprocessedKeys", {})
        if left:
            raise _busy()
        return [found.get(place) for place in places]

    def get_by_partition(
        self, table: str, partition: str, values: Iterable[str], *, only: Sequence[str] = ()
    ) -> dict[str, Item]:
        """Read up to 100 items by their partition keys, in one call; return those that exist.

        With `only`, just these attributes are read; they must include the key's.
        """
        keys = [(table, {partition: value}) for value in dict.fromkeys(values)]
        if not keys:
            return {}
        found = self.get_items(*keys, only={table: only} if only else None)
        return {item[partition]: item for item in found if item}

    def query(
        self,
        table: str,
        condition: str,
        *,
        limit: int,
        ascending: bool,
        index: str | None = None,
        **values: Any,
    ) -> list[Item]:
        """Read up to `limit` items of one partition, strongly consistent without an index."""
        arguments: dict[str, Any] = {
            "TableName": self.prefix + table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": self.serialize({f":{k}": v for k, v in values.items()}),
            "ScanIndexForward": ascending,
            "Limit": limit,
        }
        if index:
            arguments["IndexName"] = index
        else:
            arguments["ConsistentRead"] = True
        items: list[Item] = []
        while True:
            answer = self._call("query", **arguments)
            items += [self.deserialize(raw) for raw in answer["Items"]]
            # A page of DynamoDB ends at 1 MB even if fewer than `limit` items were read.
            if len(items) >= limit or "LastEvaluatedKey" not in answer:
                return items[:limit]
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            arguments["Limit"] = limit - len(items)

    def scan(
        self,
        table: str,
        after: Item | None,
        *,
        keys: Sequence[str] = (),
        limit: int = 500,
        least: tuple[str, int] | None = None,
    ) -> tuple[list[Item], Item | None]:
        """Read a page of a whole table, for extractions and checks; never within a request.

        Strongly consistent. Also return the key to continue after, None at the end. `keys` limits
        the attributes, `least` the items: to those with at least this value of an attribute.
        """
        arguments: dict[str, Any] = {
            "TableName": self.prefix + table,
            "ConsistentRead": True,
            "Limit": limit,
        }
        if keys:
            arguments["ProjectionExpression"] = ", ".join(f"#{name}" for name in keys)
            arguments["ExpressionAttributeNames"] = {f"#{name}": name for name in keys}
        if least is not None:
            arguments["FilterExpression"] = f"{least[0]} >= :least"
            arguments["ExpressionAttributeValues"] = self.serialize({":least": least[1]})
        if after is not None:
            arguments["ExclusiveStartKey"] = self.serialize(after)
        answer = self._call("scan", **arguments)
        last = answer.get("LastEvaluatedKey")
        return [self.deserialize(raw) for raw in answer["Items"]], self.deserialize(
            last
        ) if last else None

    def delete_items(self, table: str, keys: Sequence[Item]) -> None:
        """Delete items by their keys, 25 in a call, without a condition."""
        self._write_batches(table, [{"DeleteRequest": {"Key": self.serialize(k)}} for k in keys])

    def put_items(self, table: str, items: Sequence[Item]) -> None:
        """Write items, 25 in a call, without a condition."""
        self._write_batches(table, [{"PutRequest": {"Item": self.serialize(i)}} for i in items])

    def _write_batches(self, table: str, requests: Sequence[Any]) -> None:
        name = self.prefix + table
        for first in range(0, len(requests), 25):
            left: Any = {name: requests[first : first + 25]}
            for attempt in range(_MAX_ATTEMPTS):
                if attempt:
                    _back_off(attempt)
                left = self._call("batch_write_item", RequestItems=left).get("UnprocessedItems")
                if not left:
                    break
            else:
                raise _busy()

    def query_newest(
        self, table: str, index: str, sort: str, *, shards: int, limit: int, before: str | None
    ) -> list[Item]:
        """Read the `limit` items with the greatest `sort` below `before`, over all shards.

        The index is partitioned by `list_shard` and may lag behind; see `scatter_gather`.
        """

        def read(shard: str, count: int, below: str | None) -> list[Item]:
            condition, values = "list_shard = :shard", {"shard": shard}
            if below is not None:
                condition += f" AND {sort} < :below"
                values["below"] = below
            return self.query(table, condition, limit=count, ascending=False, index=index, **values)

        return scatter_gather.merge_newest(read, sort, shards=shards, limit=limit, before=before)

    def increment(self, table: str, key: Mapping[str, str], expires: int) -> Item:
        """Add one to an item's `hits`, creating it if missing, and return the item."""
        answer = self._call(
            "update_item",
            TableName=self.prefix + table,
            Key=self.serialize(key),
            UpdateExpression="SET expires = :expires ADD hits :one",
            ExpressionAttributeValues=self.serialize({":expires": expires, ":one": 1}),
            ReturnValues="ALL_NEW",
        )
        return self.deserialize(answer["Attributes"])

    def put_item_if(self, table: str, item: Item, condition: str, **values: Any) -> bool:
        """Write one item if the condition holds; return whether it was written.

        With a condition, in a transaction for its token: if the response to a plain write is lost
        and the client repeats it, the condition fails because of the write itself.
        """
        action = self.put(table, item, condition, **values)
        if not condition:
            self._call("put_item", **action.request["Put"])
            return True
        try:
            self._apply([action])
        except TransactionCanceled:
            return False
        return True

    def update_item_if(
        self, table: str, key: Mapping[str, str], changed: Item, version: int
    ) -> bool:
        """Change attributes of an item if it has this version; return whether it was changed."""
        action = self.update_fields(table, key, changed, "version = :known", known=version)
        try:
            self.transact([action])
        except TransactionCanceled:
            return False
        return True

    def put(self, table: str, item: Item, condition: str = "", **values: Any) -> Action:
        """Build the transaction action that writes an item.

        `values` are those of the condition, without the colon.
        """
        body: dict[str, Any] = {"TableName": self.prefix + table, "Item": self.serialize(item)}
        return Action({"Put": self._conditional(body, condition, values)})

    def update(
        self,
        table: str,
        key: Mapping[str, str],
        change: str,
        condition: str = "",
        **values: Any,
    ) -> Action:
        """Build the transaction action that changes an item.

        `values` are those of the change and the condition, without the colon.
        """
        body: dict[str, Any] = {
            "TableName": self.prefix + table,
            "Key": self.serialize(key),
            "UpdateExpression": change,
        }
        return Action({"Update": self._conditional(body, condition, values)})

    def update_fields(
        self,
        table: str,
        key: Mapping[str, str],
        fields: Mapping[str, Any],
        condition: str = "",
        *,
        remove: Iterable[str] = (),
        **values: Any,
    ) -> Action:
        """Build the transaction action that sets some attributes of an item, and removes others.

        Names may be reserved words in DynamoDB. `values` are those of the condition.
        """
        change = "SET " + ", ".join(f"#{name} = :set_{name}" for name in fields)
        removed = tuple(remove)
        if removed:
            change += " REMOVE " + ", ".join(f"#{name}" for name in removed)
        changed = {f"set_{name}": value for name, value in fields.items()}
        action = self.update(table, key, change, condition, **changed, **values)
        action.request["Update"]["ExpressionAttributeNames"] = {
            f"#{name}": name for name in (*fields, *removed)
        }
        return action

    def replace_item(
        self,
        table: str,
        key: Mapping[str, str],
        old: Item,
        new: Item,
        condition: str = "",
        **values: Any,
    ) -> Action:
        """Build the transaction action that changes attributes where `new` differs from `old`.

        Attributes that are in neither of the two stay unchanged.
        """
        changed = {n: value for n, value in new.items() if n not in old or old[n] != value}
        return self.update_fields(
            table, key, changed, condition, remove=old.keys() - new.keys(), **values
        )

    def delete(
        self, table: str, key: Mapping[str, str], condition: str = "", **values: Any
    ) -> Action:
        """Build the transaction action that deletes an item; by default, it may be missing."""
        body = {"TableName": self.prefix + table, "Key": self.serialize(key)}
        return Action({"Delete": self._conditional(body, condition, values)})

    def condition_check(
        self, table: str, key: Mapping[str, str], condition: str, **values: Any
    ) -> Action:
        """Build the transaction action that only checks a condition on an item."""
        body = {"TableName": self.prefix + table, "Key": self.serialize(key)}
        return Action({"ConditionCheck": self._conditional(body, condition, values)})

    def transact(self, actions: Sequence[Action]) -> None:
        """Apply all actions or none.

        Conflicts with other transactions and throttling are retried for about a second.

        Raises:
            TransactionCanceled: a condition did not hold.
            Unavailable: the items stayed busy.
        """
        self._apply(actions)

    def _apply(self, actions: Sequence[Action]) -> None:
        request = {
            "TransactItems": [one.request for one in actions],
            # One for all attempts. The response to an earlier one may have been lost after the
            # commit: with a token of its own, the next attempt would fail by the conditions that
            # the transaction itself has made false. DynamoDB remembers a token for ten minutes.
            "ClientRequestToken": str(uuid.uuid4()),
        }
        for attempt in range(_MAX_ATTEMPTS):
            try:
                self._call("transact_write_items", **request)
            except _Busy:
                _back_off(attempt)
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                details: Any = error.response
                reasons = tuple(
                    reason.get("Code", "None") for reason in details["CancellationReasons"]
                )
                if CONDITION_FAILED in reasons:
                    raise TransactionCanceled(
                        action.label
                        for action, reason in zip(actions, reasons, strict=True)
                        if reason == CONDITION_FAILED
                    ) from error
                if not _RETRYABLE_REASONS.intersection(reasons):
                    raise
                _back_off(attempt)
            else:
                return
        raise _busy()

    def serialize(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Convert a plain dict to DynamoDB's attribute values."""
        return attribute_values.serialize(item)

    def deserialize(self, item: Mapping[str, Any]) -> Item:
        """Convert DynamoDB's attribute values to a plain dict with ints."""
        return attribute_values.deserialize(item)

    def check_table(self, table: Table) -> None:
        """Check that the table is available, by a read as requests make it.

        DescribeTable has limits of its own, and may succeed while reads do not.

        Raises:
            Unavailable: the datastore is unreachable, or the table is missing.
        """
        key = {name: {"S": "readiness"} for name in (table.partition, table.sort) if name}
        self._call("get_item", TableName=self.prefix + table.name, Key=key)

    def _conditional(
        self, body: dict[str, Any], condition: str, values: Mapping[str, Any]
    ) -> dict[str, Any]:
        if condition:
            body["ConditionExpression"] = condition
        if values:
            colon = {f":{name}": value for name, value in values.items()}
            body["ExpressionAttributeValues"] = self.serialize(colon)
        return body

    def _call(self, operation: str, **arguments: Any) -> Any:
        deadline.require_time()
        try:
            return getattr(self.client, operation)(**arguments)
        except BotoCoreError as error:
            detail = "The database is temporarily unavailable."
            raise Unavailable(detail) from error
        except ClientError as error:
            if error.response["ResponseMetadata"].get(
                "HTTPStatusCode", 500
            ) >= 500 or error.response["Error"]["Code"] in {
                "ProvisionedThroughputExceededException",
                "ThrottlingException",
                "RequestLimitExceeded",
                "ResourceNotFoundException",
            }:
                detail = "The database is temporarily unavailable."
                raise Unavailable(detail) from error
            if error.response["Error"]["Code"] in _CONCURRENT_TRANSACTION:
                raise _busy() from error
            raise


def _back_off(attempt: int) -> None:
    # Full jitter: writers that conflicted once should not conflict again.
    time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311


def _busy() -> _Busy:
    return _Busy("The database is busy.", retry_after=1)
