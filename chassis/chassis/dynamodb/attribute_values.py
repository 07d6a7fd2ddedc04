"""Conversion of DynamoDB's attribute values, and a client that returns them unparsed.

botocore parses every response along the service's model, and boto3's own types use Decimal. For a
page of posts the two cost more than all other work of a service, and for the values in these
tables the result equals the JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
"""An item with plain values: str, int, bool, None, lists and dicts of them."""

_DATA = ("GetItem", "BatchGetItem", "Query")
_OK = 200


def serialize(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a plain dict to attribute values."""
    return {name: _serialize_value(value) for name, value in item.items()}


def deserialize(item: Mapping[str, Any]) -> Item:
    """Convert attribute values to a plain dict with ints."""
    return {name: _deserialize_value(value) for name, value in item.items()}


def skip_response_parsing(client: DynamoDBClient) -> None:
    """Make a client return items as they are in the JSON, without botocore's parsing."""
    for operation in _DATA:
        client.meta.events.register(f"before-parse.dynamodb.{operation}", _read)


def _read(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Put the response where botocore merges it into its result, and leave nothing to parse."""
    if response_dict["status_code"] != _OK:
        return
    with suppress(ValueError):  # botocore handles a truncated response
        customized_response_dict.update(from_json(response_dict["body"]))
        response_dict["body"] = b"{}"


def _serialize_value(value: Any) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case None:
            return {"NULL": True}
        case dict():
            return {"M": serialize(value)}
        case list() | tuple():
            return {"L": [_serialize_value(part) for part in value]}
    msg = f"a table holds no {type(value).__name__}"
    raise TypeError(msg)


def _deserialize_value(raw: Mapping[str, Any]) -> Any:
    [(kind, value)] = raw.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return int(value)
        case "NULL":
            return None
        case "M":
            return deserialize(value)
        case "L":
            return [_deserialize_value(part) for part in value]
    msg = f"a table holds no value of the kind {kind}"
    raise TypeError(msg)
