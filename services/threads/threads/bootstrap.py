"""The threads service, composed from its settings."""

from collections.abc import Mapping
from functools import cached_property

from flask_openapi3.blueprint import APIBlueprint

from chassis.idempotency.store import IdempotencyStore
from chassis.messaging.events import EventHandler
from chassis.runtime import ServiceRuntime
from threads.api import ThreadsApi
from threads.clients import PostsClient
from threads.domain import DOMAIN
from threads.dynamodb import tables
from threads.dynamodb.store import DynamoStore
from threads.event_handlers import EventHandlers
from threads.model import SessionClaims
from threads.service import Threads
from threads.settings import ThreadsSettings


class ThreadsService(ServiceRuntime[ThreadsSettings, SessionClaims]):
    """The threads service; building it opens no connection."""

    domain = DOMAIN
    settings_type = ThreadsSettings
    claims_type = SessionClaims

    @cached_property
    def store(self) -> DynamoStore:
        """The store for the service's own writes."""
        responses = IdempotencyStore(self.database, tables.IDEMPOTENCY.name, self.clock)
        return DynamoStore(self.fenced_database, self.outbox, responses)

    @cached_property
    def threads(self) -> Threads:
        """The use cases."""
        posts = PostsClient(self.client("posts", self.settings.posts_url))
        return Threads(self.store, posts, self.clock, self.new_id)

    def api(self) -> APIBlueprint:
        """Build the blueprint of `/api/threads`."""
        return ThreadsApi(
            self.threads, self.sessions, self.cursors, self.idempotency_keys
        ).blueprint()

    def check(self) -> None:
        """Check that the tables are reachable."""
        self.store.check()

    def event_handlers(self) -> Mapping[str, EventHandler]:
        """Build the handlers of consumed events."""
        handlers = EventHandlers(self.database, self.outbox, self.ownership, self.clock)
        return handlers.handlers()
