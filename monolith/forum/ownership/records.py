"""The record port of the monolith's side of a domain."""

from collections.abc import Sequence
from typing import Protocol

from chassis.ownership.records import Record, RecordStore


class MonolithRecordStore(RecordStore, Protocol):
    """A domain's rows in the monolith's database."""

    def totals(self) -> tuple[int, int]:
        """Return the number of records, and the sum of their versions."""

    def placeholder_ids(self) -> list[str]:
        """Return the ids that other rows refer to, but whose state is not known yet."""

    def update_replica(self, records: Sequence[Record]) -> None:
        """Store the service's own records, ahead of their events."""
