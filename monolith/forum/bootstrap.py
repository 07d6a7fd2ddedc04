"""What the APIs, the pages and the worker are put together from, at any stage of the split."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import cast

from chassis.auth.tokens import Issuer
from chassis.client.service_client import ServiceClient
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.messaging.events import Event, EventHandler
from chassis.ownership.state import cutover_in_progress
from chassis.pagination import Cursors
from forum.database import Database
from forum.outbox import OutboxRecorder, Recorder, SqlOutbox
from forum.ownership.state import SETTLED, Chosen, OwnershipRegistry
from forum.posts.remote import RemotePosts
from forum.posts.replica import PostReplica
from forum.posts.sole_author import RemoteSoleAuthorCheck, SoleAuthorCheck, SqlSoleAuthorCheck
from forum.posts.store import SqlPosts
from forum.settings import ForumSettings, may_be_own
from forum.threads.admission import OwnedThreadAdmission, ReplicaThreadAdmission, ThreadAdmission
from forum.threads.remote import RemoteThreads
from forum.threads.replica import ThreadReplica
from forum.threads.store import SqlThreads
from forum.users.actors import Actors, OwnActors, ReplicaActors
from forum.users.remote import RemoteUsers
from forum.users.replica import Erasures, UserReplica
from forum.users.store import SqlUsers
from forum.web.served_by import noted

COMPONENT = "monolith"
NAMES = {"users": "accounts", "threads": "threads", "posts": "posts"}
"""What people call what a domain keeps."""


@dataclass(frozen=True)
class Bootstrap:
    """Makes each part when it is first asked for; opens no connection yet."""

    settings: ForumSettings
    clock: Clock = utc_now
    new_id: NewId = uuid7

    @cached_property
    def database(self) -> Database:
        """The forum's own database."""
        return Database(self.settings.database_url.get_secret_value())

    @cached_property
    def cursors(self) -> Cursors:
        """What makes cursors."""
        return Cursors(self.settings.secret_key.get_secret_value())

    @cached_property
    def outbox(self) -> SqlOutbox:
        """The events on their way out."""
        return SqlOutbox(self.database, self.clock)

    @cached_property
    def ownership(self) -> OwnershipRegistry:
        """What knows which domains are the forum's own."""
        return OwnershipRegistry(
            self.database, self.settings.extracted, live_extraction=self.settings.live_extraction
        )

    @cached_property
    def recorder(self) -> Recorder:
        """What records events."""
        return OutboxRecorder(COMPONENT, self.ownership, self.clock, self.new_id)

    @property
    def service_urls(self) -> dict[str, str]:
        """Where the services are, by the domain of each."""
        settings = self.settings
        return {
            "users": settings.users_url,
            "threads": settings.threads_url,
            "posts": settings.posts_url,
        }

    @cached_property
    def clients(self) -> dict[str, ServiceClient]:
        """The services, by the domain of each."""
        return {
            domain: noted(domain, NAMES[domain], url) for domain, url in self.service_urls.items()
        }

    @cached_property
    def remote_users(self) -> RemoteUsers:
        """Users at their service."""
        return RemoteUsers(self.clients["users"])

    @cached_property
    def remote_threads(self) -> RemoteThreads:
        """Threads at their service."""
        return RemoteThreads(self.clients["threads"])

    @cached_property
    def remote_posts(self) -> RemotePosts:
        """Posts at their service."""
        return RemotePosts(self.clients["posts"])

    @cached_property
    def sql_users(self) -> SqlUsers:
        """Users on the forum's own database."""
        return SqlUsers(
            self.database,
            Issuer(self.settings.session_private_key.get_secret_value()),
            self.settings.limits,
            self.cursors,
            self.clock,
            self.new_id,
            self.recorder,
            replica_holders=lambda: self.ownership.snapshot().extracted,
        )

    @cached_property
    def sql_threads(self) -> SqlThreads:
        """Threads on the forum's own database."""
        elsewhere = RemoteSoleAuthorCheck(self.remote_posts)
        posts = cast(
            "SoleAuthorCheck", Chosen(self.ownership, "posts", SqlSoleAuthorCheck(), elsewhere)
        )
        return SqlThreads(
            self.database,
            self.cursors,
            self.actors,
            posts,
            self.clock,
            self.new_id,
            self.recorder,
        )

    @cached_property
    def sql_posts(self) -> SqlPosts:
        """Posts on the forum's own database."""
        return SqlPosts(
            self.database,
            self.actors,
            self.thread_admission,
            self.cursors,
            self.clock,
            self.new_id,
            self.recorder,
        )

    @cached_property
    def actors(self) -> Actors:
        """Who may write."""
        elsewhere = ReplicaActors(self.clock)
        return cast("Actors", Chosen(self.ownership, "users", OwnActors(), elsewhere))

    @cached_property
    def thread_admission(self) -> ThreadAdmission:
        """Where one may write."""
        own = OwnedThreadAdmission(self.database)
        elsewhere = ReplicaThreadAdmission(self.database, self.remote_threads, self.thread_replica)
        return cast("ThreadAdmission", Chosen(self.ownership, "threads", own, elsewhere))

    @cached_property
    def thread_replica(self) -> ThreadReplica:
        """What keeps threads of the threads service."""
        return ThreadReplica(self.database, self.actors)

    def handlers(self) -> Mapping[str, EventHandler]:
        """Give what applies each type of event that the monolith takes at any stage."""
        people = UserReplica(self.database, self.recorder, self.clock)
        posts = PostReplica(self.database, self.actors, self.thread_admission)
        replicas = {
            "users": people.handlers(),
            "threads": self.thread_replica.handlers(),
            "posts": posts.handlers(),
        }
        handlers: dict[str, EventHandler] = {
            kind: partial(self._apply_to_replica, domain, handler)
            for domain, of_domain in replicas.items()
            for kind, handler in of_domain.items()
        }
        if may_be_own(self.settings, "users"):
            for kind, handler in Erasures(self.sql_users).handlers().items():
                handlers[kind] = partial(self._apply_to_owner, handler)
        return handlers

    def _apply_to_replica(self, domain: str, handler: EventHandler, event: Event) -> None:
        """Apply what a service tells of its own domain; of the forum's own it need not be told."""
        if not self.ownership.current().domains[domain].is_own:
            handler(event)

    def _apply_to_owner(self, handler: EventHandler, event: Event) -> None:
        """Take the word of somebody who forgot one of the forum's own people."""
        users = self.ownership.current().domains["users"]
        if users.is_own:
            handler(event)
        elif users.state != SETTLED:
            raise cutover_in_progress()  # whether it is for the forum is not decided yet
