"""What the APIs, the pages and the worker are put together from, at any stage of the split."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from chassis.clock import Clock, NewId, utc_now, uuid7
from chassis.events import Handler
from chassis.paging import Cursors
from chassis.peers import Peer
from chassis.tokens import Issuer
from forum.database import Database
from forum.outbox import NothingRecorded, OutboxRecorder, Recorder, SqlOutbox
from forum.posts.gate import ElsewherePosts, OwnPosts, PostsGate
from forum.posts.remote import RemotePosts
from forum.posts.replica import PostReplica
from forum.posts.store import SqlPosts
from forum.settings import ForumSettings
from forum.threads.gate import OwnThreads, ReplicaThreads, ThreadGate
from forum.threads.remote import RemoteThreads
from forum.threads.replica import ThreadReplica
from forum.threads.store import SqlThreads
from forum.users.actors import Actors, OwnActors, ReplicaActors
from forum.users.remote import RemoteUsers
from forum.users.replica import Erasures, UserReplica
from forum.users.store import SqlUsers
from forum.web.served import noted

COMPONENT = "monolith"


@dataclass(frozen=True)
class Parts:
    """Makes each part when it is first asked for; opens no connection yet."""

    settings: ForumSettings
    clock: Clock = utc_now
    new_id: NewId = uuid7

    @cached_property
    def database(self) -> Database:
        """The forum's own database."""
        return Database(self.settings.database_url.get_secret_value())

    @cached_property
    def cursors(self) -> Cursors:
        """What makes cursors."""
        return Cursors(self.settings.secret_key.get_secret_value())

    @cached_property
    def outbox(self) -> SqlOutbox:
        """The events on their way out."""
        return SqlOutbox(self.database, self.clock)

    @cached_property
    def recorder(self) -> Recorder:
        """What records events: nothing does while one component keeps everything."""
        if not self.settings.extracted:
            return NothingRecorded()
        return OutboxRecorder(COMPONENT, self.clock, self.new_id)

    @cached_property
    def peers(self) -> dict[str, Peer]:
        """The services, by the domain of each."""
        return {
            "users": noted("users", "accounts", self.settings.users_url),
            "threads": noted("threads", "threads", self.settings.threads_url),
            "posts": noted("posts", "posts", self.settings.posts_url),
        }

    @cached_property
    def remote_users(self) -> RemoteUsers:
        """Users at their service."""
        return RemoteUsers(self.peers["users"])

    @cached_property
    def remote_threads(self) -> RemoteThreads:
        """Threads at their service."""
        return RemoteThreads(self.peers["threads"])

    @cached_property
    def remote_posts(self) -> RemotePosts:
        """Posts at their service."""
        return RemotePosts(self.peers["posts"])

    @cached_property
    def own_users(self) -> SqlUsers:
        """Users on the forum's own database."""
        return SqlUsers(
            self.database,
            Issuer(self.settings.session_private_key.get_secret_value()),
            self.settings.limits,
            self.cursors,
            self.clock,
            self.new_id,
            self.recorder,
            keepers=self.settings.extracted,
        )

    @cached_property
    def own_threads(self) -> SqlThreads:
        """Threads on the forum's own database."""
        posts: PostsGate = OwnPosts()
        if "posts" in self.settings.extracted:
            posts = ElsewherePosts(self.remote_posts)
        return SqlThreads(
            self.database,
            self.cursors,
            self.actors,
            posts,
            self.clock,
            self.new_id,
            self.recorder,
        )

    @cached_property
    def own_posts(self) -> SqlPosts:
        """Posts on the forum's own database."""
        return SqlPosts(
            self.database,
            self.actors,
            self.thread_gate,
            self.cursors,
            self.clock,
            self.new_id,
            self.recorder,
        )

    @cached_property
    def actors(self) -> Actors:
        """Who may write."""
        return ReplicaActors(self.clock) if "users" in self.settings.extracted else OwnActors()

    @cached_property
    def thread_gate(self) -> ThreadGate:
        """Where one may write."""
        if "threads" not in self.settings.extracted:
            return OwnThreads(self.database)
        return ReplicaThreads(self.database, self.remote_threads, self.thread_replica)

    @cached_property
    def thread_replica(self) -> ThreadReplica:
        """What keeps threads of the threads service."""
        return ThreadReplica(self.database, self.actors)

    def handlers(self) -> Mapping[str, Handler]:
        """Give what applies each type of event that the monolith takes."""
        handlers: dict[str, Handler] = {}
        if "users" in self.settings.extracted:
            handlers |= UserReplica(self.database, self.recorder, self.clock).handlers()
        else:
            handlers |= Erasures(self.own_users).handlers()
        if "threads" in self.settings.extracted:
            handlers |= self.thread_replica.handlers()
        if "posts" in self.settings.extracted:
            handlers |= PostReplica(self.database, self.actors, self.thread_gate).handlers()
        return handlers
