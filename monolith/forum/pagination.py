"""Keyset pages of a query."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from chassis.pagination import Cursors, Key

ITEM = TypeVar("ITEM")


@dataclass(frozen=True)
class Listing(Generic[ITEM]):
    """A page of a list; `next` is the cursor that asks for the next one, None at the end."""

    items: list[ITEM]
    next: str | None


def paginate(
    found: Sequence[ITEM],
    limit: int,
    cursors: Cursors,
    listing: str,
    key: Callable[[ITEM], Key],
) -> Listing[ITEM]:
    """Make a page of the first `limit` that were found; if there are more, another one follows.

    `key` gives the place of an item in the list that is named `listing`.
    """
    after = key(found[limit - 1]) if len(found) > limit else None
    return Listing(list(found[:limit]), cursors.encode(listing, after))
