"""DynamoDB tables as data: used by local provisioning and by the CloudFormation templates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Index:
    """A global secondary index; it projects all attributes and may lag behind its table."""

    name: str
    partition: str
    sort: str


@dataclass(frozen=True)
class Table:
    """A table; every key attribute is a string, billing is on demand.

    `expires` names the attribute with the Unix time in seconds after which an item may be deleted.
    """

    name: str
    partition: str
    sort: str | None = None
    indexes: tuple[Index, ...] = ()
    ttl_attribute: str | None = None

    def create_arguments(self, prefix: str) -> dict[str, Any]:
        """Return the arguments of `CreateTable`."""
        names = {self.partition, self.sort}
        names |= {name for index in self.indexes for name in (index.partition, index.sort)}
        arguments: dict[str, Any] = {
            "TableName": prefix + self.name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": "S"}
                for name in sorted(filter(None, names))
            ],
            "KeySchema": _schema(self.partition, self.sort),
        }
        if self.indexes:
            arguments["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": index.name,
                    "KeySchema": _schema(index.partition, index.sort),
                    "Projection": {"ProjectionType": "ALL"},
                }
                for index in self.indexes
            ]
        return arguments


def _schema(partition: str, sort: str | None) -> list[dict[str, str]]:
    schema = [{"AttributeName": partition, "KeyType": "HASH"}]
    if sort is not None:
        schema.append({"AttributeName": sort, "KeyType": "RANGE"})
    return schema


def create_tables(client: DynamoDBClient, prefix: str, tables: Iterable[Table]) -> list[str]:
    """Create or update the tables as defined; return the names of those created.

    Idempotent, also after an interruption.
    """
    created = []
    for table in tables:
        name = prefix + table.name
        try:
            client.create_table(**table.create_arguments(prefix))
            created.append(name)
        except client.exceptions.ResourceInUseException:
            pass  # it exists, or is being created
        client.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        if table.ttl_attribute:
            _enable_ttl(client, name, table.ttl_attribute)
    return created


def _enable_ttl(client: DynamoDBClient, name: str, attribute: str) -> None:
    description = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if description.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
        client.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
        )
