"""The port of threads: the operations that the rest of the forum uses."""

from typing import Any, Protocol

from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.pagination import Listing
from forum.threads.state import Thread
from forum.users.port import Identity


class Threads(Protocol):
    """The use cases of threads; each raises a `chassis.errors.Failure` if it fails."""

    def create(
        self, identity: Identity, title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Start a thread, and return its public view."""

    def get(self, thread_id: str) -> Thread:
        """Return a thread."""

    def newest(self, sort: str, limit: int, cursor: str) -> Listing[Thread]:
        """List threads: by `activity`, or `newest` first."""

    def search(self, q: str, limit: int, cursor: str) -> Listing[Thread]:
        """List the threads whose titles have all terms of `q`, newest first."""

    def change(
        self, identity: Identity, thread_id: str, changes: dict[str, Any], expected: Precondition
    ) -> Thread:
        """Change a thread: its title by the author, title and lock by a moderator."""

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread, as a moderator, or as its author while alone in it."""
