"""Threads at their current owner."""

from typing import Any

from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.ownership.routing import OwnerRoute
from forum.pagination import Listing
from forum.threads.port import Threads
from forum.threads.state import Thread
from forum.users.port import Identity


class ThreadsRouter:
    """Implementation of the port that calls the owner's implementation."""

    def __init__(self, route: OwnerRoute[Threads]) -> None:
        self._route = route

    def create(
        self, identity: Identity, title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Start a thread, and return its public view."""
        return self._route.call(lambda threads: threads.create(identity, title, key))

    def get(self, thread_id: str) -> Thread:
        """Return a thread."""
        return self._route.call(lambda threads: threads.get(thread_id))

    def newest(self, sort: str, limit: int, cursor: str) -> Listing[Thread]:
        """List threads: by `activity`, or `newest` first."""
        return self._route.call(lambda threads: threads.newest(sort, limit, cursor))

    def search(self, q: str, limit: int, cursor: str) -> Listing[Thread]:
        """List the threads whose titles have all terms of `q`, newest first."""
        return self._route.call(lambda threads: threads.search(q, limit, cursor))

    def change(
        self, identity: Identity, thread_id: str, changes: dict[str, Any], expected: Precondition
    ) -> Thread:
        """Change a thread."""
        return self._route.call(
            lambda threads: threads.change(identity, thread_id, changes, expected)
        )

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread."""
        self._route.call(lambda threads: threads.delete(identity, thread_id, expected))
