"""The components that hold copies of a domain's records, and how a copy is repaired."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from chassis.clock import creation_time, format_timestamp, utc_now, uuid7
from chassis.messaging.events import Event, EventHandler
from chassis.ownership.records import TOMBSTONE, Record, Replica
from extraction.endpoints import Endpoints
from forum.outbox import outbox_row
from forum.ownership.records import MonolithRecordStore
from forum.users.events import FORGOTTEN
from infra.domains import SERVICES
from infra.stages import MONOLITH

_SECRET = frozenset({"password_hash", "requested_at"})
"""Fields of a user's record that no copy has."""


class Holder(Protocol):
    """A component's copies of one domain."""

    @property
    def component(self) -> str:
        """The component's name."""

    @property
    def may_lack_deleted(self) -> bool:
        """Whether a deleted record that the component never knew may be missing."""

    def project(self, record: Record) -> Record:
        """Return the copy that the component should have of the owner's record."""

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of copies, and the start of the next page."""

    def read_copies(self, records: Sequence[Record]) -> dict[str, Record]:
        """Read the copies of up to 100 records, by id."""

    def repair(self, record: Record) -> None:
        """Bring a copy up to date with the owner's record, unless it is as new."""

    def remove(self, copy: Record) -> None:
        """Treat a copy as deleted, whose record the owner does not know."""

    def confirm_erasure(self, user_id: str, version: int) -> None:
        """Repeat the confirmation to the owner of users that the component forgot a user."""


@dataclass(frozen=True)
class MonolithHolder:
    """The monolith's rows of a domain that a service owns."""

    endpoints: Endpoints
    domain: str
    store: MonolithRecordStore
    component: str = MONOLITH
    may_lack_deleted: bool = True

    def project(self, record: Record) -> Record:
        """Return the row's record."""
        return {name: value for name, value in record.items() if name not in _SECRET}

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of rows."""
        found, following = self.store.read_page(after, limit)
        return [self.project(record) for record in found], following

    def read_copies(self, records: Sequence[Record]) -> dict[str, Record]:
        """Read rows."""
        found = self.store.read_many([record["id"] for record in records])
        return {one: self.project(record) for one, record in found.items()}

    def repair(self, record: Record) -> None:
        """Store the owner's record, as its events would be."""
        self.store.update_replica([record])

    def remove(self, copy: Record) -> None:
        """Mark a row as deleted."""
        self.store.update_replica([deleted(self.domain, copy)])

    def confirm_erasure(self, user_id: str, version: int) -> None:
        """Record the event again."""
        now = utc_now()
        event = Event(uuid7(), FORGOTTEN, f"/{MONOLITH}", user_id, version, now, {})
        with self.endpoints.sql.writing() as session:
            session.add(outbox_row(event))


@dataclass(frozen=True)
class ServiceHolder:
    """A service's replica of another domain; its own handlers of events repair it."""

    endpoints: Endpoints
    domain: str
    component: str
    owner: str
    replica: Replica
    handlers: Mapping[str, EventHandler]
    may_lack_deleted: bool = False

    def project(self, record: Record) -> Record:
        """Return the copy that the service should have."""
        return self.replica.project(record)

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        """Read a page of the replica."""
        return self.replica.read_page(after, limit)

    def read_copies(self, records: Sequence[Record]) -> dict[str, Record]:
        """Read copies."""
        return self.replica.read_copies(records)

    def repair(self, record: Record) -> None:
        """Apply an event with the record's state.

        What an event does besides is done too: an erased user is confirmed as forgotten, the posts
        of a deleted thread are deleted.
        """
        kind, data = describe(self.domain, record)
        event = Event(
            uuid7(), kind, f"/{self.owner}", record["id"], record["version"], utc_now(), data
        )
        self.handlers[kind](event)

    def remove(self, copy: Record) -> None:
        """Apply the event of a deletion."""
        self.repair(deleted(self.domain, copy))

    def confirm_erasure(self, user_id: str, version: int) -> None:
        """Record the event again."""
        self.endpoints.acknowledge(self.component, user_id, version)


def deleted(domain: str, copy: Record) -> Record:
    """Return the record of a deletion, for a copy whose owner lost the record in a restore."""
    record = {name: value for name, value in copy.items() if name != TOMBSTONE}
    record["version"] = copy["version"] + 1
    if domain == "users":
        now = format_timestamp(utc_now())
        return {
            "id": copy["id"],
            "version": record["version"],
            "erased": True,
            "requested_at": now,
        }
    if domain == "threads":
        return {"id": copy["id"], "version": record["version"], "deleted": True}
    at = creation_time(copy["id"]) or utc_now()
    return {"created_at": format_timestamp(at)} | record | {"deleted": True, "body": "", "html": ""}


def describe(domain: str, record: Record) -> tuple[str, dict[str, Any]]:
    """Return the type and the data of the event with a record's state, without secrets."""
    thing = domain.removesuffix("s")
    if domain == "users" and record["erased"]:
        return f"{thing}.erased", {}
    data = {name: value for name, value in record.items() if name not in _SECRET | {"html"}}
    changed = "deleted" if record.get("deleted") else "updated"
    return f"{thing}.{changed}", data


def find_holders(endpoints: Endpoints, domain: str, extracted: frozenset[str]) -> list[Holder]:
    """Return the components that hold copies of a domain at a stage."""
    owner = domain if domain in extracted else MONOLITH
    holders: list[Holder] = []
    if owner != MONOLITH:
        holders.append(MonolithHolder(endpoints, domain, endpoints.monolith_records[domain]))
    for component in sorted(extracted - {domain}):
        replica = endpoints.replicas(component).get(domain)
        if replica is not None:
            handlers = _handlers(endpoints, component)
            holders.append(ServiceHolder(endpoints, domain, component, owner, replica, handlers))
    return holders


def _handlers(endpoints: Endpoints, component: str) -> Mapping[str, EventHandler]:
    module: Any = import_module(f"{component}.event_handlers")
    outbox = SERVICES[component].outbox(endpoints.dynamo, utc_now, uuid7)
    handlers: Mapping[str, EventHandler] = module.EventHandlers(endpoints.dynamo, outbox).handlers()
    return handlers
