"""The context of the pages: the use cases of the three domains, and shared helpers."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chassis.auth.sessions import Sessions
from chassis.client.service_client import ServiceClient
from chassis.clock import Clock, NewId
from chassis.errors import Unavailable
from chassis.idempotency.keys import IdempotencyKeys
from chassis.pagination import Cursors
from forum.ownership.state import OwnershipSnapshot
from forum.posts.port import Posts
from forum.threads.port import Threads
from forum.users.port import Identity, SessionClaims, Users
from forum.users.queries import Handle
from forum.web import page_cache

FIRST = TypeVar("FIRST")
SECOND = TypeVar("SECOND")


@dataclass(frozen=True)
class PageContext:
    """The domains at their owners, and shared helpers of the pages."""

    users: Users
    threads: Threads
    posts: Posts
    ownership: Callable[[], OwnershipSnapshot]
    """Returns the ownership of the domains, the same for the whole request."""

    probes: Mapping[str, ServiceClient]
    """Clients that only check the health of services, by domain."""

    event_status: Callable[[], dict[str, Any]]
    """Returns the status of the monolith's own events."""

    current_name: Callable[[Identity], str | None]
    """Returns the display name of a session's owner; None if the session has ended."""

    titles: Callable[[Collection[str]], Mapping[str, str]]
    """Returns the titles of threads that the monolith itself knows, by id."""

    handles: Callable[[Collection[str]], Mapping[str, Handle]]
    """Returns the handles of users that the monolith itself knows, by id."""

    require_writer: Callable[[Identity], None]
    """Raises Unauthenticated or Forbidden if an account was erased or suspended."""

    badge: bool
    """Whether pages show which component served each part."""

    sessions: Sessions[SessionClaims]
    cursors: Cursors
    idempotency_keys: IdempotencyKeys
    served_by: str
    secret: str
    clock: Clock
    new_id: NewId
    # Threads start at the first use, so after gunicorn has forked its workers.
    pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=16, thread_name_prefix="page")
    )

    def gather(
        self, domain: str, first: Callable[[], FIRST], second: Callable[[], SECOND]
    ) -> tuple[FIRST, SECOND | Unavailable]:
        """Make two calls, concurrently if the second goes to another component.

        `domain` owns the result of the second; if its owner is unreachable, the failure is
        returned, so that a page can show the rest.
        """
        guarded = _or_unavailable(second)
        if domain not in self.ownership().extracted:
            return first(), guarded()
        pending = self.submit(guarded)
        return first(), pending.result()

    def submit(self, call: Callable[[], SECOND]) -> "Future[SECOND]":
        """Start a call in another thread, in the context of this request and its deadline."""
        return self.pool.submit(copy_context().run, call)


def _or_unavailable(call: Callable[[], SECOND]) -> Callable[[], SECOND | Unavailable]:
    def guarded() -> SECOND | Unavailable:
        try:
            return call()
        except Unavailable as failure:
            page_cache.forbid_sharing()
            return failure

    return guarded
