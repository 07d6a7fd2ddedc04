"""The forum's web application: each domain from its own database, or from its service."""

from collections.abc import Callable

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.openapi import OpenAPI

from chassis.auth.sessions import Sessions
from chassis.auth.tokens import Verifier
from chassis.client.service_client import ServiceClient
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.http import app as component
from chassis.idempotency.keys import IdempotencyKeys
from chassis.messaging import status
from chassis.messaging.sqs_queue import optional_component_queue
from forum.bootstrap import COMPONENT, Bootstrap
from forum.domains import DOMAINS, THREADS, USERS
from forum.ownership import forwarding
from forum.ownership.routing import OwnerRoute
from forum.posts.api import PostsApi
from forum.posts.extracted.router import PostsRouter
from forum.posts.port import Posts
from forum.schema import SchemaCheck
from forum.settings import ForumSettings
from forum.threads.api import ThreadsApi
from forum.threads.extracted.fallback import RemoteThreadsWithFallback
from forum.threads.extracted.router import ThreadsRouter
from forum.threads.port import Threads
from forum.threads.queries import ThreadQueries
from forum.users.api import UsersApi
from forum.users.extracted.fallback import RemoteUsersWithFallback
from forum.users.extracted.router import UsersRouter
from forum.users.port import SessionClaims, Users
from forum.users.queries import UserQueries
from forum.web import served_by
from forum.web.context import PageContext
from forum.web.notices import stale_data_notice
from forum.web.setup import install as install_pages

PROBE_SECONDS = 2.5
"""Timeout of the status page's calls; a component waits for the bus up to 2 seconds."""


def create_app(settings: ForumSettings, clock: Clock = utc_now, new_id: NewId = uuid7) -> OpenAPI:
    """Build the application at its stage of the split.

    The API of a permanently extracted domain is not served here, so that a wrong route is noticed
    at once.
    """
    parts = Bootstrap(settings, clock, new_id, served_by.observe)
    sessions = Sessions(Verifier(settings.session_public_keys, SessionClaims))
    idempotency_keys = IdempotencyKeys(settings.secret_key.get_secret_value())
    app = component.create_app(
        COMPONENT,
        settings.revision,
        {"database": _database_check(parts)},
        secret=settings.secret_key.get_secret_value(),
        import_name="forum.web",
    )
    app.extensions["database"] = parts.database
    exchanges_events = settings.extracted or settings.live_extraction
    queue = optional_component_queue(settings) if exchanges_events else None
    status.add_status_endpoint(app, parts.outbox, queue, clock)
    urls = {domain.name: settings.service_url(domain.name) for domain in DOMAINS}
    forwarding.follow_owners(app, parts.ownership, urls, settings.forwarded)
    for domain, build_api in _apis(parts, sessions, idempotency_keys).items():
        if settings.may_own(domain):
            app.register_api(build_api())
    stored_threads = ThreadQueries(parts.database, parts.cursors)
    install_pages(
        app,
        PageContext(
            users=_users(parts),
            threads=_threads(parts, stored_threads),
            posts=PostsRouter(_posts_route(parts)),
            sessions=sessions,
            idempotency_keys=idempotency_keys,
            ownership=parts.ownership.snapshot,
            probes=_probes(settings),
            event_status=lambda: status.read_status(parts.outbox, queue, clock),
            current_name=parts.current_name,
            titles=stored_threads.titles,
            handles=UserQueries(parts.database).handles,
            require_writer=parts.require_writer,
            badge=settings.split_badge == "on",
            cursors=parts.cursors,
            served_by=f"{COMPONENT}/{settings.revision}",
            secret=settings.secret_key.get_secret_value(),
            clock=clock,
            new_id=new_id,
        ),
    )
    return app


def _database_check(parts: Bootstrap) -> Callable[[], None]:
    """Return the check that the database has a recent schema, and no other owners than this stage.

    The order matters: before the first migration, there is no table of owners.
    """
    check_schema = SchemaCheck(parts.database)

    def check() -> None:
        check_schema()
        parts.ownership.require_settled()

    return check


def _apis(
    parts: Bootstrap, sessions: Sessions[SessionClaims], idempotency_keys: IdempotencyKeys
) -> dict[str, Callable[[], APIBlueprint]]:
    """Return the factory of each domain's API on the forum's own database."""
    public_keys = parts.settings.session_public_keys
    return {
        "users": lambda: UsersApi(
            parts.sql_users, sessions, idempotency_keys, public_keys
        ).blueprint(),
        "threads": lambda: ThreadsApi(parts.sql_threads, sessions, idempotency_keys).blueprint(),
        "posts": lambda: PostsApi(parts.sql_posts, sessions, idempotency_keys).blueprint(),
    }


def _users(parts: Bootstrap) -> Users:
    """Return users at their owner; the forum's own only if the forum may own them."""
    remote = RemoteUsersWithFallback(
        parts.clients["users"], parts.database, stale_data_notice(USERS)
    )
    if not parts.settings.may_own("users"):
        return remote
    return UsersRouter(OwnerRoute(parts.ownership, "users", parts.sql_users, remote))


def _threads(parts: Bootstrap, stored: ThreadQueries) -> Threads:
    remote = RemoteThreadsWithFallback(parts.clients["threads"], stored, stale_data_notice(THREADS))
    return ThreadsRouter(OwnerRoute(parts.ownership, "threads", parts.sql_threads, remote))


def _posts_route(parts: Bootstrap) -> OwnerRoute[Posts]:
    return OwnerRoute(parts.ownership, "posts", parts.sql_posts, parts.remote_posts)


def _probes(settings: ForumSettings) -> dict[str, ServiceClient]:
    """Build the clients of the status page, with a short timeout and their own circuit breakers."""
    return {
        domain.name: ServiceClient(
            domain.label, settings.service_url(domain.name), read_timeout=PROBE_SECONDS
        )
        for domain in DOMAINS
    }
