"""Keyset pages of a query."""

from dataclasses import dataclass
from typing import Generic, TypeVar

ITEM = TypeVar("ITEM")


@dataclass(frozen=True)
class Listing(Generic[ITEM]):
    """A page of a list; `next` is the cursor that asks for the next one, None at the end."""

    items: list[ITEM]
    next: str | None
