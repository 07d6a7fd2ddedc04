"""Attribute values: round trips, and equality of the fast client with boto3's own."""

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as some

from chassis.dynamodb.attribute_values import deserialize, serialize

VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-(10**30), 10**30) | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)
ITEMS = some.dictionaries(some.text(), VALUES, max_size=6)


@given(ITEMS)
def test_item_comes_back_as_it_was(item):
    assert deserialize(serialize(item)) == item


@given(ITEMS)
def test_item_is_written_as_boto3_writes_it(item):
    assert serialize(item) == {
        name: TypeSerializer().serialize(value) for name, value in item.items()
    }


@given(ITEMS)
def test_item_is_read_as_boto3_reads_it(item):
    reader = TypeDeserializer()
    raw = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    assert deserialize(raw) == {name: reader.deserialize(value) for name, value in raw.items()}


@pytest.mark.parametrize("value", [1.5, b"bytes", {1, 2}, object()])
def test_unsupported_value_is_refused(value):
    with pytest.raises(TypeError, match="a table holds no"):
        serialize({"odd": value})


def test_unsupported_kind_of_value_is_refused():
    with pytest.raises(TypeError, match="SS"):
        deserialize({"odd": {"SS": ["a"]}})
