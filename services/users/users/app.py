"""Puts the users service together from its settings."""

from flask import Flask

from chassis import dynamodb, moved, moving, progress, web
from chassis.api import Sessions
from chassis.bus import own_queue_if_any
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.idempotency import Fingerprints
from chassis.outbox import DynamoOutbox
from chassis.paging import Cursors
from chassis.tokens import Issuer, Verifier
from users import api, tables
from users.service import Users
from users.settings import UsersSettings
from users.store import DynamoStore

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
) -> moving.Standings | None:
    """Build what tells whether the domain is the service's own right now, where it may move."""
    return moving.Standings(database, COMPONENT) if settings.movable else None


def build_store(
    database: dynamodb.Database,
    clock: Clock = utc_now,
    standings: moving.Standings | None = None,
) -> DynamoStore:
    """Build the store."""
    own = moving.GuardedDatabase(database, standings) if standings else database
    return DynamoStore(own, build_outbox(database, clock), clock)


def use_cases(
    settings: UsersSettings,
    store: DynamoStore,
    clock: Clock = utc_now,
    new_id: NewId = uuid7,
    standings: moving.Standings | None = None,
) -> Users:
    """Build the use cases on a store."""
    issuer = Issuer(settings.session_private_key.get_secret_value())

    def keepers() -> frozenset[str]:
        """Tell who keeps copies of people: as of the last domain that moved, if any did."""
        told = standings.look().components if standings else frozenset()
        return told - {COMPONENT} if told else settings.keepers

    return Users(store, issuer, settings.limits, clock, new_id, keepers=keepers)


def create_app(settings: UsersSettings) -> Flask:
    """Build the whole service."""
    database = build_database(settings)
    standings = build_standings(settings, database)
    store = build_store(database, standings=standings)
    secret = settings.secret_key.get_secret_value()
    app = web.create(COMPONENT, settings.revision, {"tables": store.check})
    app.register_api(
        api.blueprint(
            use_cases(settings, store, standings=standings),
            Sessions(Verifier(settings.session_public_keys)),
            Cursors(secret),
            Fingerprints(secret),
            settings.session_public_keys,
        )
    )
    progress.add(app, build_outbox(database), own_queue_if_any(settings), utc_now)
    if standings:
        moved.install(app, f"/api/{COMPONENT}", standings, settings.gateway_url)
    return app
