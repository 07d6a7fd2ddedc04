"""Puts the posts service together from its settings."""

from flask import Flask

from chassis.auth.tokens import Verifier
from chassis.client.service_client import NESTED_READ_TIMEOUT, ServiceClient
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
from posts import api
from posts.clients import ThreadsClient
from posts.dynamodb import tables
from posts.dynamodb.store import DynamoStore
from posts.service import Posts
from posts.settings import PostsSettings

COMPONENT = "posts"


def build_database(settings: PostsSettings) -> dynamodb.Database:
    """Build the database; opens no connection yet."""
    return dynamodb.Database(dynamodb.connect(), settings.table_prefix)


def build_outbox(
    database: dynamodb.Database, clock: Clock = utc_now, new_id: NewId = uuid7
) -> DynamoOutbox:
    """Build the outbox."""
    return DynamoOutbox(database, tables.OUTBOX.name, COMPONENT, clock, new_id)


def build_standings(
    settings: PostsSettings, database: dynamodb.Database
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
    settings: PostsSettings, store: DynamoStore, clock: Clock = utc_now, new_id: NewId = uuid7
) -> Posts:
    """Build the use cases on a store; calls nobody yet."""
    threads = ThreadsClient(
        ServiceClient("threads", settings.threads_url, read_timeout=NESTED_READ_TIMEOUT)
    )
    return Posts(store, threads, clock, new_id)


def create_app(settings: PostsSettings) -> Flask:
    """Build the whole service."""
    database = build_database(settings)
    standings = build_standings(settings, database)
    store = build_store(database, standings=standings)
    secret = settings.secret_key.get_secret_value()
    app = web.create_app(COMPONENT, settings.revision, {"tables": store.check})
    app.register_api(
        api.blueprint(
            use_cases(settings, store),
            Sessions(Verifier(settings.session_public_keys)),
            Cursors(secret),
            IdempotencyKeys(secret),
        )
    )
    status.add_status_endpoint(
        app, build_outbox(database), optional_component_queue(settings), utc_now
    )
    if standings:
        forwarding.follow_owner(app, f"/api/{COMPONENT}", standings, settings.gateway_url)
    return app
