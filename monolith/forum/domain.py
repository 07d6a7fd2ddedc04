"""The definition of a domain on the monolith's side."""

from collections.abc import Callable
from dataclasses import dataclass

from chassis.clock import Clock
from chassis.ownership.index_check import IndexCheck
from forum.database import Database
from forum.ownership.records import MonolithRecordStore


@dataclass(frozen=True)
class Domain:
    """A domain: its API is below `/api/<name>`, and the table of its rows has its name."""

    name: str
    label: str
    """The displayed name of the content, such as `accounts`."""

    event_types: tuple[str, ...]
    """Events about the domain: one for each write that a move must copy."""

    record_store: Callable[[Database, Clock], MonolithRecordStore]
    """Builds the store of the domain's rows for a move."""

    index_check: Callable[[Database], IndexCheck] | None = None
    """Builds the comparison of the entries that are derived from the rows, if there are any."""

    replica_has_index: bool = False
    """Whether the rows have these entries also while they are a replica."""

    may_lack_deleted: bool = False
    """Whether the monolith's replica may lack a record deleted before its events arrived."""

    acknowledgement_types: tuple[str, ...] = ()
    """Events with which other components confirm events of this domain to its owner."""
