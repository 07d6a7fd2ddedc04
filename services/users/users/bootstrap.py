"""The users service, composed from its settings."""

from collections.abc import Mapping
from functools import cached_property

from flask_openapi3.blueprint import APIBlueprint

from chassis.auth.tokens import Issuer
from chassis.dynamodb.database import Database
from chassis.idempotency.store import IdempotencyStore
from chassis.messaging.events import EventHandler
from chassis.runtime import ServiceRuntime
from users.api import UsersApi
from users.domain import DOMAIN
from users.dynamodb import tables
from users.dynamodb.store import DynamoStore
from users.event_handlers import EventHandlers
from users.model import SessionClaims
from users.service import Users
from users.settings import UsersSettings


class UsersService(ServiceRuntime[UsersSettings, SessionClaims]):
    """The users service; building it opens no connection."""

    domain = DOMAIN
    settings_type = UsersSettings
    claims_type = SessionClaims

    @cached_property
    def store(self) -> DynamoStore:
        """The store for the service's own writes."""
        return self._store_on(self.fenced_database)

    @cached_property
    def users(self) -> Users:
        """The use cases."""
        return self._users_on(self.store)

    def api(self) -> APIBlueprint:
        """Build the blueprint of `/api/users`."""
        return UsersApi(
            self.users,
            self.sessions,
            self.cursors,
            self.idempotency_keys,
            self.settings.session_public_keys,
        ).blueprint()

    def check(self) -> None:
        """Check that the tables are reachable."""
        self.store.check()

    def event_handlers(self) -> Mapping[str, EventHandler]:
        """Build the handlers of consumed events; their writes are not fenced."""
        return EventHandlers(
            self._users_on(self._store_on(self.database)), self.ownership
        ).handlers()

    def replica_holders(self) -> frozenset[str]:
        """Return the components with replicas of users: as of the last move, if there was one."""
        components = self.ownership.current().components if self.ownership else frozenset[str]()
        return components - {DOMAIN.name} if components else self.settings.replica_holders

    def _store_on(self, database: Database) -> DynamoStore:
        responses = IdempotencyStore(database, tables.IDEMPOTENCY.name, self.clock)
        return DynamoStore(database, self.outbox, responses)

    def _users_on(self, store: DynamoStore) -> Users:
        issuer = Issuer(self.settings.session_private_key.get_secret_value())
        return Users(
            store,
            issuer,
            self.settings.limits,
            self.clock,
            self.new_id,
            replica_holders=self.replica_holders,
        )
