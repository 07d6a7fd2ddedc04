"""Composition root of the web application and the worker, at any stage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from chassis.auth.tokens import Issuer
from chassis.client.responses import ServiceResponse
from chassis.client.service_client import ServiceClient
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.messaging.events import Event, EventHandler
from chassis.ownership.state import cutover_in_progress
from chassis.pagination import Cursors
from forum.database import Database
from forum.domains import DOMAIN_OF_EVENT_TYPE, DOMAINS, NAMES
from forum.outbox import Recorder, SqlOutbox
from forum.ownership.recorder import OutboxRecorder
from forum.ownership.routing import OwnerRoute
from forum.ownership.state import SETTLED, OwnershipRegistry
from forum.posts.extracted.remote import RemotePosts
from forum.posts.extracted.replica import PostReplica
from forum.posts.sole_author import RemoteSoleAuthorCheck, SqlSoleAuthorCheck
from forum.posts.store import SqlPosts
from forum.settings import ForumSettings
from forum.threads import events as thread_events
from forum.threads.admission import OwnedThreadAdmission, ReplicaThreadAdmission, ThreadAdmission
from forum.threads.extracted.remote import RemoteThreads
from forum.threads.extracted.replica import ThreadReplica
from forum.threads.sole_author import SoleAuthorCheck
from forum.threads.store import SqlThreads
from forum.users.actors import Actors, OwnedActors, ReplicaActors
from forum.users.extracted.replica import ErasureConfirmations, UserReplica
from forum.users.port import Identity
from forum.users.store import SqlUsers

COMPONENT = "monolith"
Observer = Callable[[str, ServiceResponse], None]
"""Called with the domain and the response of each successful call of a service."""


def _ignore(_domain: str, _response: ServiceResponse) -> None:
    pass


@dataclass(frozen=True)
class Bootstrap:
    """Dependencies, each built on first use; building opens no connection."""

    settings: ForumSettings
    clock: Clock = utc_now
    new_id: NewId = uuid7
    observer: Observer = _ignore

    @cached_property
    def database(self) -> Database:
        """The forum's own database."""
        return Database(self.settings.database_url.get_secret_value())

    @cached_property
    def cursors(self) -> Cursors:
        """The signer of cursors."""
        return Cursors(self.settings.secret_key.get_secret_value())

    @cached_property
    def outbox(self) -> SqlOutbox:
        """The outbox of the forum's events."""
        return SqlOutbox(self.database, self.clock)

    @cached_property
    def ownership(self) -> OwnershipRegistry:
        """The ownership of domains."""
        return OwnershipRegistry(
            self.database,
            NAMES,
            self.settings.extracted,
            live_extraction=self.settings.live_extraction,
        )

    @cached_property
    def recorder(self) -> Recorder:
        """The recorder of events."""
        return OutboxRecorder(
            COMPONENT, DOMAIN_OF_EVENT_TYPE, self.ownership, self.clock, self.new_id
        )

    @cached_property
    def clients(self) -> dict[str, ServiceClient]:
        """The clients of the services, by domain."""
        return {
            domain.name: ServiceClient(
                domain.label,
                self.settings.service_url(domain.name),
                observer=partial(self.observer, domain.name),
            )
            for domain in DOMAINS
        }

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
        checks: OwnerRoute[SoleAuthorCheck] = OwnerRoute(
            self.ownership, "posts", SqlSoleAuthorCheck(), RemoteSoleAuthorCheck(self.remote_posts)
        )
        return SqlThreads(
            self.database,
            self.cursors,
            self.actors.current,
            checks.current,
            self.clock,
            self.new_id,
            self.recorder,
        )

    @cached_property
    def sql_posts(self) -> SqlPosts:
        """Posts on the forum's own database."""
        return SqlPosts(
            self.database,
            self.actors.current,
            self.thread_admission.current,
            self.cursors,
            self.clock,
            self.new_id,
            self.recorder,
        )

    @cached_property
    def actors(self) -> OwnerRoute[Actors]:
        """The users who may write."""
        return OwnerRoute(self.ownership, "users", OwnedActors(), ReplicaActors(self.clock))

    def require_writer(self, identity: Identity) -> None:
        """Check that a session's owner may write.

        Raises:
            Unauthenticated: the account was erased.
            Forbidden: the account is suspended.
        """
        with self.database.writing() as session:
            self.actors.current().authorize_writer(session, identity)

    def current_name(self, identity: Identity) -> str | None:
        """Return the display name of a session's owner; None if the session has ended."""
        with self.database.reading() as session:
            return self.actors.current().current_name(session, identity)

    @cached_property
    def thread_admission(self) -> OwnerRoute[ThreadAdmission]:
        """The threads that accept posts."""
        own = OwnedThreadAdmission(self.database)
        remote = ReplicaThreadAdmission(self.database, self.remote_threads, self.thread_replica)
        return OwnerRoute(self.ownership, "threads", own, remote)

    @cached_property
    def thread_replica(self) -> ThreadReplica:
        """The replica of threads."""
        return ThreadReplica(self.database, self.actors.current, self.clock)

    def event_handlers(self) -> Mapping[str, EventHandler]:
        """Build the handlers of events that the forum consumes at any stage, by type."""
        posts = PostReplica(
            self.database, self.actors.current, self.thread_admission.current, self.clock
        )
        replicas = {
            "users": UserReplica(self.database, self.recorder, self.clock).handlers(),
            "threads": self.thread_replica.handlers(),
            "posts": posts.handlers(),
        }
        handlers: dict[str, EventHandler] = {
            kind: partial(self._apply_to_replica, domain, handler)
            for domain, of_domain in replicas.items()
            for kind, handler in of_domain.items()
        }
        # A deletion is final under every owner; the service's event may arrive after a move.
        deleted = thread_events.DELETED
        handlers[deleted] = replicas["threads"][deleted]
        if self.settings.may_own("users"):
            for kind, handler in ErasureConfirmations(self.sql_users).handlers().items():
                handlers[kind] = partial(self._apply_to_owner, "users", handler)
        return handlers

    def _apply_to_replica(self, domain: str, handler: EventHandler, event: Event) -> None:
        """Apply an event about a domain that a service owns."""
        if not self.ownership.current().domains[domain].is_own:
            handler(event)

    def _apply_to_owner(self, domain: str, handler: EventHandler, event: Event) -> None:
        """Apply an acknowledgement to a domain that the forum owns."""
        ownership = self.ownership.current().domains[domain]
        if ownership.is_own:
            handler(event)
        elif ownership.state != SETTLED:
            raise cutover_in_progress()  # the owner is not known yet
