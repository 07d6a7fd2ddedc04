"""What the pages are made of: the three domains, whoever keeps them, and a few keys."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chassis.client.service_client import ServiceClient
from chassis.clock import Clock, NewId
from chassis.errors import Unavailable
from chassis.http.api import Sessions
from chassis.idempotency.keys import IdempotencyKeys
from chassis.pagination import Cursors
from forum.posts.port import Posts
from forum.threads.port import Threads
from forum.users.port import Users

FIRST = TypeVar("FIRST")
SECOND = TypeVar("SECOND")


@dataclass(frozen=True)
class PageContext:
    """The domains, and what pages need beside them."""

    users: Users
    threads: Threads
    posts: Posts
    clients: Mapping[str, ServiceClient]
    """The components of the domains that are extracted, by domain."""

    probes: Mapping[str, ServiceClient]
    """The same, for those who only want to know how they are."""

    moving: Callable[[], Collection[str]]
    """Names the domains that are on the move right now."""

    event_status: Callable[[], dict[str, Any]]
    """Tells how far the monolith's own events are."""

    titles: Callable[[Collection[str]], Mapping[str, str]]
    """Gives the titles of threads that the monolith itself knows, by id."""

    badge: bool
    """Whether pages show who answered each part of them."""

    sessions: Sessions
    cursors: Cursors
    fingerprints: IdempotencyKeys
    served_by: str
    secret: str
    clock: Clock
    new_id: NewId
    # Threads start at the first use, so after gunicorn has forked its workers.
    pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=16, thread_name_prefix="ask")
    )

    def gather(
        self, domain: str, first: Callable[[], FIRST], second: Callable[[], SECOND]
    ) -> tuple[FIRST, SECOND | Unavailable]:
        """Ask two questions, at the same time if the second goes to another component.

        `domain` is the one that answers the second; if it does not answer, its failure is the
        answer, so that a page can show the rest.
        """
        asked = _or_unavailable(second)
        if domain not in self.clients:
            return first(), asked()
        pending = self.submit(asked)
        return first(), pending.result()

    def submit(self, question: Callable[[], SECOND]) -> "Future[SECOND]":
        """Ask a question at the same time, for the same request and within its deadline."""
        return self.pool.submit(copy_context().run, question)


def _or_unavailable(question: Callable[[], SECOND]) -> Callable[[], SECOND | Unavailable]:
    def ask() -> SECOND | Unavailable:
        try:
            return question()
        except Unavailable as failure:
            return failure

    return ask
