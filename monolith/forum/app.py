"""Puts the forum together: each domain from its own database, or from its service."""

from collections.abc import Mapping
from functools import partial
from typing import cast

from flask_openapi3.openapi import OpenAPI

from chassis.auth.tokens import Verifier
from chassis.client.service_client import ServiceClient
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.http import app as component
from chassis.http.api import Sessions
from chassis.idempotency.keys import IdempotencyKeys
from chassis.messaging import status
from chassis.messaging.bus import optional_component_queue
from forum.bootstrap import COMPONENT, NAMES, Bootstrap
from forum.ownership import forwarding
from forum.ownership.state import Extracted, Switched
from forum.posts import api as posts_api
from forum.posts.port import Posts
from forum.settings import ForumSettings, may_be_own
from forum.threads import api as threads_api
from forum.threads.fallback import ThreadsWithFallback
from forum.threads.port import Threads
from forum.threads.queries import ThreadQueries
from forum.users import api as users_api
from forum.users.fallback import UsersWithFallback
from forum.users.port import Users
from forum.web.context import PageContext
from forum.web.notices import stale_data_notice
from forum.web.setup import install as install_pages

PROBE_SECONDS = 2.5
"""So long the status page waits for an answer; a component waits for the bus up to 2 seconds."""


def create_app(settings: ForumSettings, clock: Clock = utc_now, new_id: NewId = uuid7) -> OpenAPI:
    """Build the whole application at its stage of the split.

    A domain that is extracted is reached through its client only, and its API is not answered
    here, so that a wrong route shows at once.
    """
    parts = Bootstrap(settings, clock, new_id)
    database, secret = parts.database, settings.secret_key.get_secret_value()
    fingerprints = IdempotencyKeys(secret)
    sessions = Sessions(Verifier(settings.session_public_keys))
    app = component.create_app(
        COMPONENT, settings.revision, {"database": database.check}, import_name="forum.web"
    )
    app.extensions["database"] = database
    queue = (
        optional_component_queue(settings)
        if settings.extracted or settings.live_extraction
        else None
    )
    status.add_status_endpoint(app, parts.outbox, queue, clock)
    forwarding.follow_owners(app, parts.ownership, parts.service_urls)

    switched = partial(Switched, parts.ownership)
    remote_users = UsersWithFallback(parts.remote_users, database, stale_data_notice("accounts"))
    stored = ThreadQueries(database, parts.cursors)
    remote_threads = ThreadsWithFallback(parts.remote_threads, stored, stale_data_notice("threads"))
    users = cast("Users", remote_users)
    threads = cast("Threads", switched("threads", parts.sql_threads, remote_threads))
    posts = cast("Posts", switched("posts", parts.sql_posts, parts.remote_posts))
    if may_be_own(settings, "users"):
        keys = settings.session_public_keys
        users = cast("Users", switched("users", parts.sql_users, remote_users))
        app.register_api(users_api.blueprint(parts.sql_users, sessions, fingerprints, keys))
    if may_be_own(settings, "threads"):
        app.register_api(threads_api.blueprint(parts.sql_threads, sessions, fingerprints))
    if may_be_own(settings, "posts"):
        app.register_api(posts_api.blueprint(parts.sql_posts, sessions, fingerprints))

    install_pages(
        app,
        PageContext(
            users=users,
            threads=threads,
            posts=posts,
            sessions=sessions,
            fingerprints=fingerprints,
            clients=Extracted(parts.ownership, parts.clients),
            probes=Extracted(parts.ownership, _probes(parts.service_urls)),
            moving=lambda: parts.ownership.snapshot().moving,
            event_status=lambda: status.read_status(parts.outbox, queue, clock),
            titles=stored.titles,
            badge=settings.split_badge == "on",
            cursors=parts.cursors,
            served_by=f"{COMPONENT}/{settings.revision}",
            secret=secret,
            clock=clock,
            new_id=new_id,
        ),
    )
    return app


def _probes(urls: Mapping[str, str]) -> dict[str, ServiceClient]:
    """Build what the status page asks services by: soon at an end, and for nobody else's calls."""
    return {
        domain: ServiceClient(NAMES[domain], url, read_timeout=PROBE_SECONDS)
        for domain, url in urls.items()
    }
