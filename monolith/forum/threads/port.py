"""What the rest of the forum asks of threads, whoever keeps them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from chassis.auth.tokens import Identity
from chassis.clock import format_timestamp
from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.pagination import Listing
from forum.users.port import Author


@dataclass(frozen=True)
class Thread:
    """A thread; `version` counts the changes of what a person can edit."""

    id: str
    title: str
    author: Author
    created_at: datetime
    last_activity_at: datetime
    post_count: int
    locked: bool
    version: int

    def public_view(self) -> dict[str, Any]:
        """Give the thread as JSON shows it, and the version."""
        return {
            "id": self.id,
            "title": self.title,
            "author": {"id": self.author.id, "display_name": self.author.display_name},
            "created_at": format_timestamp(self.created_at),
            "last_activity_at": format_timestamp(self.last_activity_at),
            "post_count": self.post_count,
            "locked": self.locked,
            "version": self.version,
        }


class Threads(Protocol):
    """What people can do with threads; each raises a `chassis.errors.Failure` if it can't."""

    def create(
        self, identity: Identity, title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Open a thread and answer its view."""

    def get(self, thread_id: str) -> Thread:
        """Read a thread."""

    def newest(self, sort: str, limit: int, cursor: str) -> Listing[Thread]:
        """List threads: by `activity`, or `newest` first."""

    def search(self, words: str, limit: int, cursor: str) -> Listing[Thread]:
        """List the threads whose titles hold all words, newest first."""

    def change(
        self, identity: Identity, thread_id: str, changes: dict[str, Any], expected: Precondition
    ) -> Thread:
        """Change a thread: its title by the author, title and lock by a moderator."""

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread: by a moderator, or by its author while alone in it."""
