"""Puts the threads service together from its settings."""

from flask import Flask

from chassis import dynamodb, web
from chassis.api import Sessions
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.idempotency import Fingerprints
from chassis.paging import Cursors
from chassis.peers import INNER_READ_TIMEOUT, Peer
from chassis.tokens import Verifier
from threads import api
from threads.clients import PostsClient
from threads.service import Threads
from threads.settings import ThreadsSettings
from threads.store import DynamoStore

COMPONENT = "threads"


def use_cases(
    settings: ThreadsSettings, store: DynamoStore, clock: Clock = utc_now, new_id: NewId = uuid7
) -> Threads:
    """Build the use cases on a store."""
    posts = PostsClient(Peer("posts", settings.posts_url, read_timeout=INNER_READ_TIMEOUT))
    return Threads(store, posts, clock, new_id)


def build_store(settings: ThreadsSettings, clock: Clock = utc_now) -> DynamoStore:
    """Build the store; opens no connection yet."""
    return DynamoStore(dynamodb.Database(dynamodb.connect(), settings.table_prefix), clock)


def create_app(settings: ThreadsSettings) -> Flask:
    """Build the whole service."""
    store = build_store(settings)
    secret = settings.secret_key.get_secret_value()
    app = web.create(COMPONENT, settings.revision, {"tables": store.check})
    app.register_api(
        api.blueprint(
            use_cases(settings, store),
            Sessions(Verifier(settings.session_public_keys)),
            Cursors(secret),
            Fingerprints(secret),
        )
    )
    return app
