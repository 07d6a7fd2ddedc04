"""Keyset pages of a query."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chassis.pagination import Cursors, Key

ITEM = TypeVar("ITEM")


@dataclass(frozen=True)
class Listing(Generic[ITEM]):
    """A page of a list; `next` is the cursor of the next page, None at the end."""

    items: list[ITEM]
    next: str | None


def paginate(
    found: Sequence[ITEM],
    limit: int,
    cursors: Cursors,
    listing: str,
    key: Callable[[ITEM], Key],
) -> Listing[ITEM]:
    """Build a page of the first `limit` items; further items mean that another page follows.

    `key` returns an item's position in the list named `listing`.
    """
    after = key(found[limit - 1]) if len(found) > limit else None
    return Listing(list(found[:limit]), cursors.encode(listing, after))
