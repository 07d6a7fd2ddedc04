"""Dataclasses as JSON-ready dicts and back; timestamps are RFC 3339 texts with milliseconds.

For a component's own types. Input from outside is validated by pydantic models.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from cattrs import Converter

from chassis.clock import format_timestamp, parse_timestamp

T = TypeVar("T")

_converter = Converter(detailed_validation=False)
_converter.register_unstructure_hook(datetime, format_timestamp)
_converter.register_structure_hook(datetime, lambda text, _: parse_timestamp(text))
_converter.register_unstructure_hook_func(lambda kind: kind == frozenset[str], sorted)


def _without_coercion(value: Any, kind: type[Any]) -> Any:
    if type(value) is not kind:
        message = f"{value!r} is not of the type {kind.__name__}"
        raise TypeError(message)
    return value


for _kind in (str, int, bool):
    _converter.register_structure_hook(_kind, _without_coercion)


def to_json(thing: Any, kind: type[Any] | None = None) -> dict[str, Any]:
    """Return a dataclass as a dict of JSON's types, with the fields of `kind`, its base class."""
    content: dict[str, Any] = _converter.unstructure(thing, unstructure_as=kind)
    return content


def from_json(kind: type[T], content: Mapping[str, Any]) -> T:
    """Build a dataclass from a dict of JSON's types; fields that it does not have are ignored.

    Raises:
        KeyError, TypeError, ValueError: a field is missing or does not fit its type.
    """
    return _converter.structure(content, kind)


def attributes(thing: Any, kind: Any) -> dict[str, Any]:
    """Return the attributes of an object that are fields of the dataclass `kind`, unconverted."""
    return {name: getattr(thing, name) for name in field_names(kind)}


@cache
def field_names(kind: Any) -> tuple[str, ...]:
    """Return the names of a dataclass's fields, in their order."""
    return tuple(field.name for field in fields(kind))
