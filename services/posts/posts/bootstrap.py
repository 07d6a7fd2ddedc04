"""The posts service, composed from its settings."""

from collections.abc import Mapping
from functools import cached_property

from flask_openapi3.blueprint import APIBlueprint

from chassis.idempotency.store import IdempotencyStore
from chassis.messaging.events import EventHandler
from chassis.runtime import ServiceRuntime
from posts.api import PostsApi
from posts.clients import ThreadsClient
from posts.domain import DOMAIN
from posts.dynamodb import tables
from posts.dynamodb.store import DynamoStore
from posts.event_handlers import EventHandlers
from posts.model import SessionClaims
from posts.service import Posts
from posts.settings import PostsSettings


class PostsService(ServiceRuntime[PostsSettings, SessionClaims]):
    """The posts service; building it opens no connection."""

    domain = DOMAIN
    settings_type = PostsSettings
    claims_type = SessionClaims

    @cached_property
    def store(self) -> DynamoStore:
        """The store for the service's own writes."""
        responses = IdempotencyStore(self.database, tables.IDEMPOTENCY.name, self.clock)
        return DynamoStore(self.fenced_database, self.outbox, responses)

    @cached_property
    def posts(self) -> Posts:
        """The use cases."""
        threads = ThreadsClient(self.client("threads", self.settings.threads_url))
        return Posts(self.store, threads, self.clock, self.new_id)

    def api(self) -> APIBlueprint:
        """Build the blueprint of `/api/posts`."""
        return PostsApi(self.posts, self.sessions, self.cursors, self.idempotency_keys).blueprint()

    def check(self) -> None:
        """Check that the tables are reachable."""
        self.store.check()

    def event_handlers(self) -> Mapping[str, EventHandler]:
        """Build the handlers of consumed events."""
        return EventHandlers(self.database, self.outbox).handlers()
