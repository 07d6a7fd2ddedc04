"""The two ends of a move: a domain's rows in the monolith, and the service's tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

import boto3
from botocore.config import Config

from chassis.clock import utc_now, uuid7
from chassis.dynamodb.database import Database
from chassis.messaging.dynamodb_outbox import DynamoOutbox, Outbox
from chassis.ownership import records as copying
from chassis.ownership import state
from forum.database import Database as SqlDatabase
from forum.outbox import SqlOutbox
from forum.ownership.transitions import OwnershipTransitions
from forum.posts.records import PostRecords
from forum.posts.replica import PostReplica
from forum.threads.admission import CopyThreadAdmission
from forum.threads.records import ThreadRecords
from forum.users.actors import ReplicaActors
from forum.users.records import UserRecords
from posts.dynamodb import records as posts_copies
from posts.dynamodb import tables as posts_tables
from threads.dynamodb import records as threads_copies
from threads.dynamodb import tables as threads_tables
from users.dynamodb import records as users_copies
from users.dynamodb import tables as users_tables

TYPES = {
    "users": ("user.registered", "user.updated", "user.suspended", "user.erased"),
    "threads": ("thread.created", "thread.updated", "thread.deleted"),
    "posts": ("post.created", "post.updated", "post.deleted"),
}
TABLES = {"users": users_tables, "threads": threads_tables, "posts": posts_tables}
LEFT_BEHIND = {
    "users": users_copies.REPLACED_TABLES,
    "threads": threads_copies.REPLACED_TABLES,
    "posts": posts_copies.REPLACED_TABLES,
}


class MonolithRecordStore(copying.RecordStore, Protocol):
    """A domain's rows in the monolith."""

    def totals(self) -> tuple[int, int]:
        """Count things, and sum up their versions."""

    def placeholder_ids(self) -> list[str]:
        """Name the things that others refer to, and of which nothing was told so far."""

    def update_replica(self, records: Sequence[copying.Record]) -> None:
        """Keep what the service knows of its own things, ahead of the events that tell of it."""


WriteReplicas = Callable[[Sequence[copying.Record]], None]


@dataclass(frozen=True)
class Endpoints:
    """What a mover reads and writes; opens connections when they are first used."""

    database_url: str
    table_prefix: str = "forum-"

    @cached_property
    def sql(self) -> SqlDatabase:
        """The monolith's database."""
        return SqlDatabase(self.database_url)

    @cached_property
    def transitions(self) -> OwnershipTransitions:
        """Whose each domain is."""
        return OwnershipTransitions(self.sql, utc_now)

    @cached_property
    def dynamo(self) -> Database:
        """The services' tables."""
        # More patient than a component, whose callers wait.
        config = Config(connect_timeout=2, read_timeout=20, retries={"total_max_attempts": 4})
        return Database(boto3.client("dynamodb", config=config), self.table_prefix)

    @cached_property
    def monolith_records(self) -> dict[str, MonolithRecordStore]:
        """The monolith's side of each domain."""
        actors = ReplicaActors(utc_now)
        replica = PostReplica(self.sql, actors, CopyThreadAdmission())
        return {
            "users": UserRecords(self.sql, utc_now),
            "threads": ThreadRecords(self.sql, utc_now),
            "posts": PostRecords(self.sql, utc_now, replica),
        }

    @cached_property
    def service_records(self) -> dict[str, copying.RecordStore]:
        """The services' side of each domain."""
        return {"users": self._users, "threads": self._threads, "posts": self._posts}

    @cached_property
    def _users(self) -> users_copies.UserRecords:
        return users_copies.UserRecords(self.dynamo)

    @cached_property
    def _threads(self) -> threads_copies.ThreadRecords:
        return threads_copies.ThreadRecords(self.dynamo, self._outbox("threads"))

    @cached_property
    def _posts(self) -> posts_copies.PostRecords:
        return posts_copies.PostRecords(self.dynamo)

    def replica_writers(self, domain: str) -> dict[str, WriteReplicas]:
        """Give what a service keeps of other domains: whose rows, and how they are put."""
        if domain == "threads":
            return {"users": self._threads.write_users, "posts": self._threads.write_posts}
        if domain == "posts":
            return {"users": self._posts.write_users, "threads": self._posts.write_threads}
        return {}

    def ownership(self, domain: str) -> state.OwnershipStore:
        """Give what tells a service whether it may answer."""
        return state.OwnershipStore(self.dynamo, domain)

    def changes_since(self, domain: str, since: datetime) -> list[tuple[str, str]]:
        """Give the changes of a service since then: a mark of each, and what changed."""
        found = copying.ChangeFeed(self.dynamo, TABLES[domain].OUTBOX, TYPES[domain]).read_since(
            since
        )
        touched = state.changed_since(self.dynamo, TABLES[domain].MOVING.name, since)
        return [*found, *touched]

    def outbox(self, component: str) -> Outbox:
        """Give a component's outbox."""
        if component == "monolith":
            return SqlOutbox(self.sql, utc_now)
        return self._outbox(component)

    def clear_service_tables(self, domain: str) -> int:
        """Remove what an earlier stay of a domain has left at its service."""
        return copying.delete_all_items(self.dynamo, LEFT_BEHIND[domain])

    def _outbox(self, service: str) -> DynamoOutbox:
        name = TABLES[service].OUTBOX.name
        return DynamoOutbox(self.dynamo, name, service, utc_now, uuid7)
