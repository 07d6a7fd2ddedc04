"""Puts the users service together from its settings."""

from flask import Flask

from chassis import dynamodb, web
from chassis.api import Sessions
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.idempotency import Fingerprints
from chassis.paging import Cursors
from chassis.tokens import Issuer, Verifier
from users import api
from users.service import Users
from users.settings import UsersSettings
from users.store import DynamoStore

COMPONENT = "users"


def use_cases(
    settings: UsersSettings, store: DynamoStore, clock: Clock = utc_now, new_id: NewId = uuid7
) -> Users:
    """Build the use cases on a store."""
    issuer = Issuer(settings.session_private_key.get_secret_value())
    return Users(store, issuer, settings.limits, clock, new_id)


def build_store(settings: UsersSettings, clock: Clock = utc_now) -> DynamoStore:
    """Build the store; opens no connection yet."""
    return DynamoStore(dynamodb.Database(dynamodb.connect(), settings.table_prefix), clock)


def create_app(settings: UsersSettings) -> Flask:
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
            settings.session_public_keys,
        )
    )
    return app
