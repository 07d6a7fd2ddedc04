"""Comparison of the entries that a component derives from its records with these records.

A derived entry is an item or an attribute by which a record is found or kept unique: the claim of
a username, a posting of the search, the location of a post, the keys of an index. It is written in
the transaction of its record, so it can only differ after a restore or through a defect.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.ownership.records import Record

ATTEMPTS = 5
"""Number of times that a record is read again if it changes while its entries are read."""


class IndexCheck(Protocol):
    """A component's derived entries of a domain.

    Both methods return what differs, by the record's id. With `repair` they also correct it, on the
    condition that the record did not change in the meantime, so people may write.
    """

    def check_records(self, records: Sequence[Record], *, repair: bool) -> dict[str, str]:
        """Find missing and wrong entries of up to 100 records."""

    def check_entries(
        self, after: str, limit: int, *, repair: bool
    ) -> tuple[dict[str, str], str | None]:
        """Find entries without their record, on a page of entries; also return the next page."""


def differing_keys(item: Item, wanted: Item) -> list[str]:
    """Return the names of the index keys in which an item differs from those it should have."""
    names = sorted(item.keys() | wanted.keys())
    return [name for name in names if item.get(name) != wanted.get(name)]


def apply_repair(database: Database, actions: Sequence[Action]) -> None:
    """Apply a repair, unless somebody was faster."""
    with suppress(TransactionCanceled):
        database.transact(actions)
