"""The definition of a domain: the single source for services, routes and infrastructure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chassis.clock import Clock, NewId
from chassis.dynamodb.database import Database
from chassis.dynamodb.tables import Table
from chassis.messaging.dynamodb_outbox import DynamoOutbox, outbox_table
from chassis.messaging.subscriptions import Subscription
from chassis.ownership.index_check import IndexCheck
from chassis.ownership.records import RecordStore, Replica
from chassis.ownership.state import OwnershipStore, State


@dataclass(frozen=True)
class Domain:
    """A domain and the service that takes it over.

    The service, its Python package and its tables have the domain's name, and its API is served
    below `/api/<name>`.
    """

    name: str
    label: str
    """The displayed name of the content, such as `accounts`."""

    port: int
    """The service's port on a developer's machine."""

    tables: tuple[Table, ...]
    """All tables of the service."""

    replaced_tables: tuple[Table, ...]
    """The tables with the domain's content, emptied at the start of an extraction."""

    event_types: tuple[str, ...]
    """Events about the domain: one for each write that a move must copy."""

    consumed_event_types: tuple[str, ...]
    """Events of other domains that the service's worker applies."""

    record_store: Callable[[Database], RecordStore]
    """Builds the store of the domain's records for a move."""

    index_check: Callable[[Database], IndexCheck]
    """Builds the comparison of the entries that are derived from the records."""

    acknowledged_event_types: tuple[str, ...] = ()
    """Events with which the service confirms events of other domains."""

    replicas: Mapping[str, Callable[[Database], Replica]] = field(default_factory=dict)
    """Builds the service's replica of another domain, by the domain's name."""

    peers: tuple[str, ...] = ()
    """The domains whose APIs the service calls."""

    signs_sessions: bool = False
    """Whether the service issues session tokens, and so needs the private key."""

    @property
    def subscription(self) -> Subscription:
        """The events that the service's queue receives."""
        return Subscription(self.name, self.consumed_event_types)

    def outbox(self, database: Database, clock: Clock, new_id: NewId) -> DynamoOutbox:
        """Build the service's outbox, which refuses undeclared event types."""
        types = (*self.event_types, *self.acknowledged_event_types)
        table = outbox_table(self.name).name
        return DynamoOutbox(database, table, self.name, clock, new_id, types=types)

    def ownership(self, database: Database, initial: State = State.OPEN) -> OwnershipStore:
        """Build the store of the service's ownership state; before any move, it is `initial`."""
        return OwnershipStore(database, self.name, initial=initial)
