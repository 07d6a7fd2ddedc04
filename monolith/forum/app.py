"""Puts the forum together: each domain from its own database, or from its service."""

from flask_openapi3.openapi import OpenAPI

from chassis import web as component
from chassis.api import Sessions
from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.idempotency import Fingerprints
from chassis.paging import Cursors
from chassis.peers import Peer
from chassis.tokens import Issuer, Verifier
from forum.database import Database
from forum.posts import api as posts_api
from forum.posts.gate import ElsewherePosts, OwnPosts, PostsGate
from forum.posts.remote import RemotePosts
from forum.posts.store import SqlPosts
from forum.settings import ForumSettings
from forum.threads import api as threads_api
from forum.threads.gate import OwnThreads, ReplicaThreads, ThreadGate
from forum.threads.remote import RemoteThreads
from forum.threads.store import SqlThreads
from forum.users import api as users_api
from forum.users.actors import Actors, OwnActors, ReplicaActors
from forum.users.remote import RemoteUsers
from forum.users.store import SqlUsers
from forum.web.pages import install as install_pages
from forum.web.site import Site

COMPONENT = "monolith"


def own_users(
    settings: ForumSettings, database: Database, clock: Clock = utc_now, new_id: NewId = uuid7
) -> SqlUsers:
    """Build users on the forum's own database."""
    return SqlUsers(
        database,
        Issuer(settings.session_private_key.get_secret_value()),
        settings.limits,
        Cursors(settings.secret_key.get_secret_value()),
        clock,
        new_id,
    )


def create_app(settings: ForumSettings, clock: Clock = utc_now, new_id: NewId = uuid7) -> OpenAPI:
    """Build the whole application at its stage of the split.

    A domain that is extracted is reached through its client only, and its API is gone from here,
    so that a wrong route shows at once.
    """
    database = Database(settings.database_url.get_secret_value())
    secret = settings.secret_key.get_secret_value()
    cursors, fingerprints = Cursors(secret), Fingerprints(secret)
    sessions = Sessions(Verifier(settings.session_public_keys))
    app = component.create(
        COMPONENT, settings.revision, {"database": database.check}, import_name="forum.web"
    )

    app.extensions["database"] = database

    peers = {
        "users": Peer("accounts", settings.users_url),
        "threads": Peer("threads", settings.threads_url),
        "posts": Peer("posts", settings.posts_url),
    }
    remote_users = RemoteUsers(peers["users"])
    remote_threads = RemoteThreads(peers["threads"])
    remote_posts = RemotePosts(peers["posts"])
    users: SqlUsers | RemoteUsers = remote_users
    threads: SqlThreads | RemoteThreads = remote_threads
    posts: SqlPosts | RemotePosts = remote_posts
    actors: Actors = ReplicaActors(clock)
    thread_gate: ThreadGate = ReplicaThreads(remote_threads)
    posts_gate: PostsGate = ElsewherePosts(remote_posts)

    if "users" not in settings.extracted:
        users, actors = own_users(settings, database, clock, new_id), OwnActors()
        keys = settings.session_public_keys
        app.register_api(users_api.blueprint(users, sessions, fingerprints, keys))
    if "threads" not in settings.extracted:
        thread_gate = OwnThreads(database)
    if "posts" not in settings.extracted:
        posts_gate = OwnPosts()
        posts = SqlPosts(database, actors, thread_gate, cursors, clock, new_id)
        app.register_api(posts_api.blueprint(posts, sessions, fingerprints))
    if "threads" not in settings.extracted:
        threads = SqlThreads(database, actors, posts_gate, cursors, clock, new_id)
        app.register_api(threads_api.blueprint(threads, sessions, fingerprints))

    install_pages(
        app,
        Site(
            users=users,
            threads=threads,
            posts=posts,
            sessions=sessions,
            fingerprints=fingerprints,
            services={domain: peers[domain] for domain in settings.extracted},
            cursors=cursors,
            served_by=f"{COMPONENT}/{settings.revision}",
            secret=secret,
            clock=clock,
            new_id=new_id,
        ),
    )
    return app
