"""Puts the forum together: each domain from its own database, or from its service."""

from collections.abc import Mapping
from functools import partial
from typing import cast

from flask_openapi3.openapi import OpenAPI

from chassis.auth.tokens import Verifier
from chassis.client.service_client import Peer
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.http import app as component
from chassis.http.api import Sessions
from chassis.idempotency.keys import Fingerprints
from chassis.messaging import status
from chassis.messaging.bus import own_queue_if_any
from forum.bootstrap import COMPONENT, NAMES, Parts
from forum.ownership import forwarding
from forum.ownership.state import Extracted, Switched
from forum.posts import api as posts_api
from forum.posts.port import Posts
from forum.settings import ForumSettings, may_be_own
from forum.threads import api as threads_api
from forum.threads.fallback import ThreadsOrReplica
from forum.threads.port import Threads
from forum.threads.queries import StoredThreads
from forum.users import api as users_api
from forum.users.fallback import UsersOrReplica
from forum.users.port import Users
from forum.web.context import Site
from forum.web.notices import behind
from forum.web.setup import install as install_pages

PROBE_SECONDS = 2.5
"""So long the status page waits for an answer; a component waits for the bus up to 2 seconds."""


def create_app(settings: ForumSettings, clock: Clock = utc_now, new_id: NewId = uuid7) -> OpenAPI:
    """Build the whole application at its stage of the split.

    A domain that is extracted is reached through its client only, and its API is not answered
    here, so that a wrong route shows at once.
    """
    parts = Parts(settings, clock, new_id)
    database, secret = parts.database, settings.secret_key.get_secret_value()
    fingerprints = Fingerprints(secret)
    sessions = Sessions(Verifier(settings.session_public_keys))
    app = component.create(
        COMPONENT, settings.revision, {"database": database.check}, import_name="forum.web"
    )
    app.extensions["database"] = database
    queue = own_queue_if_any(settings) if settings.extracted or settings.movable else None
    status.add(app, parts.outbox, queue, clock)
    forwarding.install(app, parts.stages, parts.urls)

    switched = partial(Switched, parts.stages)
    remote_users = UsersOrReplica(parts.remote_users, database, behind("accounts"))
    stored = StoredThreads(database, parts.cursors)
    remote_threads = ThreadsOrReplica(parts.remote_threads, stored, behind("threads"))
    users = cast("Users", remote_users)
    threads = cast("Threads", switched("threads", parts.own_threads, remote_threads))
    posts = cast("Posts", switched("posts", parts.own_posts, parts.remote_posts))
    if may_be_own(settings, "users"):
        keys = settings.session_public_keys
        users = cast("Users", switched("users", parts.own_users, remote_users))
        app.register_api(users_api.blueprint(parts.own_users, sessions, fingerprints, keys))
    if may_be_own(settings, "threads"):
        app.register_api(threads_api.blueprint(parts.own_threads, sessions, fingerprints))
    if may_be_own(settings, "posts"):
        app.register_api(posts_api.blueprint(parts.own_posts, sessions, fingerprints))

    install_pages(
        app,
        Site(
            users=users,
            threads=threads,
            posts=posts,
            sessions=sessions,
            fingerprints=fingerprints,
            services=Extracted(parts.stages, parts.peers),
            probes=Extracted(parts.stages, _probes(parts.urls)),
            moving=lambda: parts.stages.now().moving,
            progress=lambda: status.read(parts.outbox, queue, clock),
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


def _probes(urls: Mapping[str, str]) -> dict[str, Peer]:
    """Build what the status page asks services by: soon at an end, and for nobody else's calls."""
    return {
        domain: Peer(NAMES[domain], url, read_timeout=PROBE_SECONDS) for domain, url in urls.items()
    }
