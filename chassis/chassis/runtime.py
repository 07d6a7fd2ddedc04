"""Base class of the services' composition roots, and their programs: web, worker and replay."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Generic, Self, TypeVar

from flask import Flask
from flask_openapi3.blueprint import APIBlueprint

from chassis import logs
from chassis.auth.sessions import Sessions
from chassis.auth.tokens import CLAIMS, Verifier
from chassis.client.service_client import NESTED_READ_TIMEOUT, ServiceClient
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.commands import Command
from chassis.domain import Domain
from chassis.dynamodb import database as dynamodb
from chassis.http import app as http_app
from chassis.idempotency.keys import IdempotencyKeys
from chassis.messaging import replay, status, worker
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.messaging.events import EventHandler
from chassis.messaging.sqs_queue import component_queue, optional_component_queue
from chassis.ownership.fenced_database import FencedDatabase
from chassis.ownership.forwarding import follow_owner
from chassis.ownership.state import OwnershipStore, State, require_settled
from chassis.pagination import Cursors
from chassis.settings import BUS_SETTINGS, ServiceSettings, load_settings

SETTINGS = TypeVar("SETTINGS", bound=ServiceSettings)


class ServiceRuntime(ABC, Generic[SETTINGS, CLAIMS]):
    """A service, composed from its settings; each dependency is built on first use.

    It opens no connection itself. A service subclasses it in its `bootstrap` module.
    """

    domain: ClassVar[Domain]
    settings_type: type[SETTINGS]
    claims_type: type[CLAIMS]

    def __init__(self, settings: SETTINGS, clock: Clock = utc_now, new_id: NewId = uuid7) -> None:
        self.settings = settings
        self.clock = clock
        self.new_id = new_id

    @classmethod
    def from_environment(cls, *, with_bus: bool = False) -> Self:
        """Read the settings; exit with 78 if they are not usable.

        `with_bus`: the program requires the topic and its queues.
        """
        return cls(load_settings(cls.settings_type, needed=BUS_SETTINGS if with_bus else ()))

    @abstractmethod
    def api(self) -> APIBlueprint:
        """Build the blueprint of the service's API."""

    @abstractmethod
    def check(self) -> None:
        """Check that the service is ready.

        Raises:
            Unavailable: it is not.
        """

    @abstractmethod
    def event_handlers(self) -> Mapping[str, EventHandler]:
        """Build the handlers of consumed events, by type."""

    @cached_property
    def database(self) -> dynamodb.Database:
        """The service's tables."""
        return dynamodb.Database(dynamodb.connect(), self.settings.table_prefix)

    @cached_property
    def ownership(self) -> OwnershipStore | None:
        """The state of the service's ownership; None if the domain is never moved."""
        if not self.settings.live_extraction:
            return None
        initial = State.CLOSED if self.settings.owned_elsewhere else State.OPEN
        return self.domain.ownership(self.database, initial)

    @cached_property
    def fenced_database(self) -> dynamodb.Database:
        """The tables for writes of the service's own domain, fenced while the domain is moved."""
        return FencedDatabase(self.database, self.ownership) if self.ownership else self.database

    @cached_property
    def outbox(self) -> DynamoOutbox:
        """The outbox of the service's events."""
        return self.domain.outbox(self.database, self.clock, self.new_id)

    @cached_property
    def sessions(self) -> Sessions[CLAIMS]:
        """The identities behind requests."""
        return Sessions(Verifier(self.settings.session_public_keys, self.claims_type))

    @cached_property
    def cursors(self) -> Cursors:
        """The signer of cursors."""
        return Cursors(self.settings.secret_key.get_secret_value())

    @cached_property
    def idempotency_keys(self) -> IdempotencyKeys:
        """The reader of idempotency keys."""
        return IdempotencyKeys(self.settings.secret_key.get_secret_value())

    def client(self, name: str, url: str) -> ServiceClient:
        """Build the client of another component, for calls within requests to this service."""
        return ServiceClient(name, url, read_timeout=NESTED_READ_TIMEOUT)

    def create_app(self) -> Flask:
        """Build the web application."""
        settings = self.settings
        app = http_app.create_app(
            self.domain.name,
            settings.revision,
            {"tables": self.check, "ownership": self._check_ownership},
            secret=settings.secret_key.get_secret_value(),
        )
        app.register_api(self.api())
        queue = optional_component_queue(settings)
        status.add_status_endpoint(app, self.outbox, queue, self.clock)
        if self.ownership:
            prefix = f"/api/{self.domain.name}"
            follow_owner(app, prefix, self.ownership, settings.gateway_url)
        return app

    def _check_ownership(self) -> None:
        """Check that the service is the owner, unless that may change while it runs.

        Raises:
            Unavailable: a move has given the domain to another component, or has not ended.
        """
        if self.ownership is None:
            require_settled(self.domain.ownership(self.database), self.domain.name)

    def run_worker(self) -> int:
        """Publish the service's events and apply those of others, until a signal arrives."""
        logs.configure(self.domain.name, self.settings.log_format)
        handlers = self.event_handlers()
        return worker.main(self.settings, self.outbox, handlers, self.check, self.clock)

    def replay(self, arguments: Sequence[str]) -> int:
        """Publish recorded events again, or put dead letters back in the queue."""
        queue = component_queue(self.settings, 1)
        return replay.main(self.outbox, queue, arguments, clock=self.clock)


def wsgi_app(service: type[ServiceRuntime[SETTINGS, CLAIMS]]) -> Flask:
    """Build the application that gunicorn serves, from the environment."""
    composed = service.from_environment()
    logs.configure(service.domain.name, composed.settings.log_format)
    return composed.create_app()


def service_commands(service: type[ServiceRuntime[SETTINGS, CLAIMS]]) -> dict[str, Command]:
    """Return a service's programs other than the web application, by name."""
    return {
        "worker": lambda _: service.from_environment(with_bus=True).run_worker(),
        "replay": lambda arguments: service.from_environment(with_bus=True).replay(arguments),
    }
