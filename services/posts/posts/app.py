"""Puts the posts service together from its settings."""

from flask import Flask

from chassis import dynamodb, web
from chassis.api import Sessions
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.idempotency import Fingerprints
from chassis.paging import Cursors
from chassis.peers import INNER_READ_TIMEOUT, Peer
from chassis.tokens import Verifier
from posts import api
from posts.clients import ThreadsClient
from posts.service import Posts
from posts.settings import PostsSettings
from posts.store import DynamoStore

COMPONENT = "posts"


def use_cases(
    settings: PostsSettings, store: DynamoStore, clock: Clock = utc_now, new_id: NewId = uuid7
) -> Posts:
    """Build the use cases on a store; calls nobody yet."""
    threads = ThreadsClient(Peer("threads", settings.threads_url, read_timeout=INNER_READ_TIMEOUT))
    return Posts(store, threads, clock, new_id)


def build_store(settings: PostsSettings, clock: Clock = utc_now) -> DynamoStore:
    """Build the store; opens no connection yet."""
    return DynamoStore(dynamodb.Database(dynamodb.connect(), settings.table_prefix), clock)


def create_app(settings: PostsSettings) -> Flask:
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
