"""Puts the users service together from its settings."""

from flask import Flask

from chassis.auth.tokens import Issuer, Verifier
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.dynamodb import database as dynamodb
from chassis.http import app as web
from chassis.http.api import Sessions
from chassis.idempotency.keys import IdempotencyKeys
from chassis.messaging import status
from chassis.messaging.bus import optional_component_queue
from chassis.messaging.dynamodb_outbox import DynamoOutbox
from chassis.ownership import forwarding, state
from chassis.pagination import Cursors
from users import api
from users.dynamodb import tables
from users.dynamodb.store import DynamoStore
from users.service import Users
from users.settings import UsersSettings

COMPONENT = "users"


def build_database(settings: UsersSettings) -> dynamodb.Database:
    """Build the database; opens no connection yet."""
    return dynamodb.Database(dynamodb.connect(), settings.table_prefix)


def build_outbox(
    database: dynamodb.Database, clock: Clock = utc_now, new_id: NewId = uuid7
) -> DynamoOutbox:
    """Build the outbox."""
    return DynamoOutbox(database, tables.OUTBOX.name, COMPONENT, clock, new_id)


def build_standings(
    settings: UsersSettings, database: dynamodb.Database
) -> state.OwnershipStore | None:
    """Build what tells whether the domain is the service's own right now, where it may move."""
    return state.OwnershipStore(database, COMPONENT) if settings.live_extraction else None


def build_store(
    database: dynamodb.Database,
    clock: Clock = utc_now,
    standings: state.OwnershipStore | None = None,
) -> DynamoStore:
    """Build the store."""
    own = state.FencedDatabase(database, standings) if standings else database
    return DynamoStore(own, build_outbox(database, clock), clock)


def use_cases(
    settings: UsersSettings,
    store: DynamoStore,
    clock: Clock = utc_now,
    new_id: NewId = uuid7,
    standings: state.OwnershipStore | None = None,
) -> Users:
    """Build the use cases on a store."""
    issuer = Issuer(settings.session_private_key.get_secret_value())

    def replica_holders() -> frozenset[str]:
        """Tell who keeps copies of people: as of the last domain that moved, if any did."""
        told = standings.current().components if standings else frozenset()
        return told - {COMPONENT} if told else settings.replica_holders

    return Users(store, issuer, settings.limits, clock, new_id, replica_holders=replica_holders)


def create_app(settings: UsersSettings) -> Flask:
    """Build the whole service."""
    database = build_database(settings)
    standings = build_standings(settings, database)
    store = build_store(database, standings=standings)
    secret = settings.secret_key.get_secret_value()
    app = web.create_app(COMPONENT, settings.revision, {"tables": store.check})
    app.register_api(
        api.blueprint(
            use_cases(settings, store, standings=standings),
            Sessions(Verifier(settings.session_public_keys)),
            Cursors(secret),
            IdempotencyKeys(secret),
            settings.session_public_keys,
        )
    )
    status.add_status_endpoint(
        app, build_outbox(database), optional_component_queue(settings), utc_now
    )
    if standings:
        forwarding.follow_owner(app, f"/api/{COMPONENT}", standings, settings.gateway_url)
    return app
