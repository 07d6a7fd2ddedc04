"""The two ends of a move: a domain's rows in the monolith, and the service's tables."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import boto3
from botocore.config import Config

from chassis.clock import utc_now, uuid7
from chassis.dynamodb.database import Database
from chassis.messaging.dynamodb_outbox import outbox_table
from chassis.messaging.outbox import Outbox
from chassis.ownership.records import ChangeFeed, RecordStore, Replica, delete_all_items
from chassis.ownership.state import OwnershipStore
from forum.database import Database as SqlDatabase
from forum.domains import DOMAINS
from forum.outbox import SqlOutbox
from forum.ownership.records import MonolithRecordStore
from forum.ownership.transitions import OwnershipTransitions
from forum.users.persistence import confirm_erasure
from infra.domains import SERVICES
from infra.stages import MONOLITH


@dataclass(frozen=True)
class Endpoints:
    """The databases of an extraction; connections are opened on first use."""

    database_url: str
    table_prefix: str = "forum-"

    @cached_property
    def sql(self) -> SqlDatabase:
        """The monolith's database."""
        return SqlDatabase(self.database_url)

    @cached_property
    def transitions(self) -> OwnershipTransitions:
        """The ownership of domains, in the monolith's database."""
        return OwnershipTransitions(self.sql, [domain.name for domain in DOMAINS], utc_now)

    @cached_property
    def dynamo(self) -> Database:
        """The services' tables."""
        # With longer timeouts than a component, which has waiting callers.
        config = Config(connect_timeout=2, read_timeout=20, retries={"total_max_attempts": 4})
        return Database(boto3.client("dynamodb", config=config), self.table_prefix)

    @cached_property
    def monolith_records(self) -> dict[str, MonolithRecordStore]:
        """The monolith's side of each domain."""
        return {domain.name: domain.record_store(self.sql, utc_now) for domain in DOMAINS}

    @cached_property
    def service_records(self) -> dict[str, RecordStore]:
        """The services' side of each domain."""
        return {name: domain.record_store(self.dynamo) for name, domain in SERVICES.items()}

    def owner_records(self, domain: str, extracted: frozenset[str]) -> RecordStore:
        """Return the owner's side of a domain, at the stage with these extracted domains."""
        return (self.service_records if domain in extracted else self.monolith_records)[domain]

    def replicas(self, domain: str) -> dict[str, Replica]:
        """Return a service's replicas of other domains, by domain."""
        return {name: build(self.dynamo) for name, build in SERVICES[domain].replicas.items()}

    def ownership(self, domain: str) -> OwnershipStore:
        """Return the ownership of a domain, in its service's table."""
        return SERVICES[domain].ownership(self.dynamo)

    def changes_since(self, domain: str, since: datetime) -> list[tuple[str, str]]:
        """Return a service's changes since then: each change's id, and the changed record's id."""
        definition = SERVICES[domain]
        feed = ChangeFeed(self.dynamo, outbox_table(domain), definition.event_types)
        return feed.read_since(since)

    def outbox(self, component: str) -> Outbox:
        """Return a component's outbox."""
        if component == MONOLITH:
            return SqlOutbox(self.sql, utc_now)
        return SERVICES[component].outbox(self.dynamo, utc_now, uuid7)

    def confirm_erasure(self, user_id: str, component: str) -> None:
        """Record at the monolith, which owns users, that a component forgot a user."""
        with self.sql.writing() as session:
            confirm_erasure(session, user_id, component, utc_now())

    def acknowledge(self, domain: str, subject: str, version: int) -> None:
        """Record a service's confirmation of an event of another domain."""
        definition = SERVICES[domain]
        outbox = definition.outbox(self.dynamo, utc_now, uuid7)
        for kind in definition.acknowledged_event_types:
            self.dynamo.transact([outbox.record(kind, subject, version, {})])

    def clear_service_tables(self, domain: str) -> int:
        """Delete a service's earlier copy of its domain; return the number of items."""
        return delete_all_items(self.dynamo, SERVICES[domain].replaced_tables)
