"""A forum whose domains move, in one process: use cases, event handlers and moves; no HTTP.

Both databases are real. Time is virtual: a pause of the mover lets the workers work.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from chassis.auth.tokens import Identity
from chassis.clock import utc_now
from chassis.errors import NotFound, Unavailable
from chassis.messaging.events import Event, EventHandler
from chassis.messaging.outbox import Heartbeat, Outbox
from chassis.ownership import state as service_state
from chassis.ownership.records import Record
from chassis.ownership.state import OwnershipStore
from extraction import __main__ as command
from extraction import endpoints, extract, extraction, reintegrate
from extraction.console import Console
from extraction.endpoints import Endpoints
from extraction.extraction import ExtractionStopped
from forum.bootstrap import Bootstrap
from forum.domains import subscription as monolith_subscription
from forum.ownership import state as monolith_state
from forum.ownership import transitions
from forum.settings import ForumSettings
from forum.threads import state as monolith_threads
from forum.users.port import SessionClaims
from forum.users.state import Author
from infra.domains import SERVICES
from posts.bootstrap import PostsService
from posts.model import Thread
from posts.service import Posts
from posts.settings import PostsSettings
from threads import domain as threads_domain
from threads.bootstrap import ThreadsService
from threads.settings import ThreadsSettings
from users.bootstrap import UsersService
from users.settings import UsersSettings

MONOLITH = "monolith"
NOBODY = "http://127.0.0.1:9"
MAX_LAG = 60.0
"""Seconds after which a consumer that stands still is started again: moves allow two minutes."""
SOAK_SECONDS = 0.0
_TIMED: tuple[ModuleType, ...] = (
    *(extract, extraction, reintegrate),
    *(monolith_state, transitions, service_state),
)
_DATED: tuple[ModuleType, ...] = (endpoints, extraction, reintegrate, threads_domain)


class VirtualTime:
    """The time of all components; it passes in pauses. It replaces the module `time`."""

    def __init__(self) -> None:
        self._now = utc_now()
        self._ids = 0
        self.meanwhile: Callable[[], None] = lambda: None
        """The activity of the rest of the forum during a pause."""

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Let moves and the state of ownership use this time."""
        for module in _TIMED:
            patch.setattr(module, "time", self)
        for module in _DATED:
            patch.setattr(module, "utc_now", self.utc_now)
        patch.setattr(OwnershipStore.__init__, "__defaults__", (self.time,))

    def utc_now(self) -> datetime:
        return self._now

    def time(self) -> float:
        return self._now.timestamp()

    def monotonic(self) -> float:
        self.advance(0.001)  # nothing takes no time at all
        return self.time()

    def advance(self, seconds: float) -> None:
        self._now += timedelta(milliseconds=round(1000 * seconds))

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        self.meanwhile()

    def new_id(self) -> str:
        """Return an id in the order of time, like a UUIDv7."""
        self._ids += 1
        milliseconds = f"{int(self.time() * 1000):012x}"
        return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-{self._ids:012x}"


class MoverKilled(Exception):
    """The mover died in the middle of a phase."""


@dataclass
class HookedConsole(Console):
    """A console that lets other things happen wherever the mover writes a line or counts."""

    happen: Callable[[], None]
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def say(self, text: str) -> None:
        self.said.append(text)
        self.happen()

    @contextmanager
    def bar(self, name: str, total: int) -> Iterator[None]:
        self.count = 0
        yield

    def advance(self, count: int) -> None:
        self.count += count
        self.happen()


class LiveForum:
    """The components, their events on the way, and the port `Deployment` of moves."""

    def __init__(
        self,
        time: VirtualTime,
        settings: ForumSettings,
        prefix: str,
        chance: random.Random,
    ) -> None:
        self.time, self.chance = time, chance
        time.meanwhile = self.work
        self.extracted = settings.extracted
        self.moving = frozenset[str]()
        self.stalled = dict[str, float]()
        """Components whose consumers stand still, and since when."""
        self.happen: Callable[[], None] = lambda: None
        common: dict[str, Any] = {
            "secret_key": settings.secret_key,
            "session_public_keys": settings.session_public_keys,
            "table_prefix": prefix,
            "live_extraction": True,
        }
        self.monolith = Bootstrap(settings, time.utc_now, time.new_id)
        vars(self.monolith)["remote_threads"] = _RemoteThreads(self)
        users = UsersSettings(
            **common,
            session_private_key=settings.session_private_key,
            replica_holders=self.extracted - {"users"} | {MONOLITH},
            sign_in_limit_per_name=settings.sign_in_limit_per_name,
            sign_in_limit_per_address=settings.sign_in_limit_per_address,
        )
        now = time.utc_now, time.new_id
        self.services: dict[str, Any] = {
            "users": UsersService(users, *now),
            "threads": ThreadsService(ThreadsSettings(**common, posts_url=NOBODY), *now),
            "posts": PostsService(PostsSettings(**common, threads_url=NOBODY), *now),
        }
        posts = self.services["posts"]
        vars(posts)["posts"] = Posts(posts.store, _KnownThreads(self), *now)
        self.endpoints = Endpoints(settings.database_url.get_secret_value(), prefix)
        self._handlers: dict[str, Any] = {
            MONOLITH: self.monolith.event_handlers(),
            **{name: service.event_handlers() for name, service in self.services.items()},
        }
        self._queues: dict[str, list[Event]] = {}
        self._filters: dict[str, tuple[str, ...]] = {}
        self._working = {*self.extracted}
        self._provision()

    # The forum.

    def owner(self, domain: str) -> str:
        """Return the component that owns a domain."""
        return self.monolith.ownership.current().domains[domain].owner

    def use_cases(self, domain: str) -> Any:
        """Return the use cases of a domain at its owner."""
        if self.owner(domain) == MONOLITH:
            return getattr(self.monolith, f"sql_{domain}")
        return getattr(self.services[domain], domain)

    def identity(self, domain: str, user_id: str, claims: SessionClaims) -> Identity[Any]:
        """Return the identity of a session, as the owner of a domain sees it."""
        held: Any = claims
        if domain != "users" and self.owner(domain) != MONOLITH:
            kind = self.services[domain].claims_type
            held = kind(claims.name, claims.role, claims.suspended, claims.ver)
        return Identity(user_id, "session", self.time.utc_now(), held, "token")

    def read(self, domain: str, ids: Iterable[str], *, at: str = "") -> dict[str, Record]:
        """Read records at the domain's owner, or at another component."""
        where = at or self.owner(domain)
        store: Any = self.endpoints.monolith_records[domain]
        if where != MONOLITH:
            store = self.endpoints.service_records[domain]
        found: dict[str, Record] = store.read_many(list(ids))
        return found

    def close(self) -> None:
        """Close the connections to the SQL database."""
        self.monolith.database.engine.dispose()
        self.endpoints.sql.engine.dispose()

    # Its workers.

    @property
    def components(self) -> list[str]:
        """The components with a running worker."""
        return sorted({*self._working, MONOLITH} if self._queues else ())

    def outbox(self, component: str) -> Outbox:
        """Return a component's outbox."""
        made: Outbox = (
            self.monolith.outbox if component == MONOLITH else self.services[component].outbox
        )
        return made

    def work(self) -> None:
        """Let the workers publish and apply what they have."""
        now = self.time.time()
        self.stalled = {one: at for one, at in self.stalled.items() if now - at < MAX_LAG}
        for component in self.components:
            self.publish(component)
        for component in self.components:
            if component not in self.stalled:
                self.consume(component)

    def publish(self, component: str) -> None:
        """Publish a component's events, to each queue whose subscription has their type."""
        outbox = self.outbox(component)
        while events := list(outbox.load_unpublished(50)):
            for event in events:
                for name, types in self._filters.items():
                    if event.type in types:
                        self._queues[name].append(event)
            outbox.mark_published(events)
        outbox.record_heartbeat(Heartbeat(self.time.utc_now(), 0))

    def consume(self, component: str, count: int = 1000) -> None:
        """Apply events of a component's queue, in any order; some come twice."""
        queue = self._queues[component]
        self.chance.shuffle(queue)
        taken, self._queues[component] = queue[:count], queue[count:]
        handlers: dict[str, EventHandler] = self._handlers[component]
        for event in taken:
            if event.type not in handlers:
                continue
            try:
                handlers[event.type](event)
            except Unavailable:
                self._queues[component].append(event)
            else:
                if self.chance.random() < 0.1:
                    self._queues[component].append(event)

    def settle(self) -> None:
        """Let all workers work until nothing is left to do."""
        self.stalled.clear()
        for _ in range(100):
            self.time.sleep(1)
            outboxes = [self.outbox(one).oldest_unpublished_at() for one in self.components]
            if not any(outboxes) and not any(self._queues.values()):
                return
        left = [event for queue in self._queues.values() for event in queue]
        msg = f"events that nobody can apply: {left}"
        raise AssertionError(msg)

    # Moves.

    def run(self, direction: str, domain: str, phase: str = "") -> None:
        """Run the mover's command, for all phases that are left or for one."""
        soak = [] if direction == command.CANCEL else ["--soak", str(SOAK_SECONDS)]
        options = command._parser().parse_args(  # the program's own defaults
            [direction, domain, *soak, *(["--phase", phase] * bool(phase))]
        )
        console = HookedConsole(self.happen)
        try:
            command._run(self, options, console)
        except ExtractionStopped as stopped:
            stopped.add_note("\n".join(console.said))
            raise

    def exclusive(self) -> AbstractContextManager[None]:
        return nullcontext()

    def start_service(self, domain: str) -> None:
        self.moving |= {domain}
        self._provision()

    def start_worker(self, domain: str) -> None:
        self._working.add(domain)

    def set_routes(self, extracted: frozenset[str]) -> None:
        self.happen()
        self.extracted = extracted
        self.happen()

    def stop_worker(self, domain: str) -> None:
        self.work()
        self._working.discard(domain)

    def stop_service(self, domain: str) -> None:
        self.work()
        self.moving -= {domain}
        self._working.discard(domain)
        self._queues.pop(domain, None)
        self._provision()

    def keep_service(self, domain: str) -> None:
        self.moving -= {domain}
        self._provision()

    def served_by(self, domains: frozenset[str]) -> dict[str, str]:
        return {one: one if one in self.extracted else MONOLITH for one in domains}

    def _provision(self) -> None:
        """Create queues and subscriptions, like `infra.provisioning`."""
        if not self.extracted | self.moving:
            self._queues, self._filters = {}, {}
            return
        wanted = [SERVICES[domain].subscription for domain in self.extracted | self.moving]
        wanted.append(monolith_subscription(self.extracted, self.moving))
        self._filters = {one.component: one.event_types for one in wanted}
        for name in self._filters:
            self._queues.setdefault(name, [])


@dataclass
class _KnownThreads:
    """The client with which the posts service reads threads from their owner."""

    forum: LiveForum

    def get(self, thread_id: str) -> Thread:
        record = self.record(thread_id)
        return Thread(thread_id, record["title"], record["locked"], False, record["version"])

    def record(self, thread_id: str) -> Record:
        record = self.forum.read("threads", [thread_id]).get(thread_id)
        if record is None or record["deleted"]:
            raise NotFound("Thread not found.")
        return record


class _RemoteThreads(_KnownThreads):
    """The client with which the monolith reads threads from their service."""

    def get(self, thread_id: str) -> Any:
        record = self.record(thread_id)
        at = datetime.fromisoformat(record["created_at"])
        return monolith_threads.Thread(
            id=thread_id,
            title=record["title"],
            author=Author(record["author_id"], "somebody"),
            created_at=at,
            last_activity_at=at,
            post_count=0,
            locked=record["locked"],
            version=record["version"],
        )
