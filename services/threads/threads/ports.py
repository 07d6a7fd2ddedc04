"""Ports: what the use cases need from storage and from other components."""

from collections.abc import Sequence
from typing import Any, Protocol

from chassis.auth.tokens import Identity
from chassis.idempotency.keys import IdempotencyKey
from chassis.pagination import Key, Page
from threads.model import Actor, SessionClaims, Thread


class ConcurrentModification(Exception):
    """The thread changed since it was read, or was deleted."""


class Store(Protocol):
    """Store of threads; each write records its event in the same transaction."""

    def get(self, thread_id: str) -> Thread | None:
        """Read a thread; strongly consistent."""

    def list_by_activity(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads, latest activity first; may lag behind."""

    def list_newest(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads, newest first; may lag behind."""

    def search(self, terms: Sequence[str], limit: int, after: Key | None) -> Page[Thread]:
        """List threads with all these terms in their titles, newest first; strongly consistent.

        A page may hold fewer than `limit` threads although more follow.
        """

    def authorize(self, identity: Identity[SessionClaims]) -> Actor:
        """Return the user who is about to write, in the newest known version; strongly consistent.

        Raises:
            Unauthenticated: the account was erased.
            Forbidden: the account is suspended.
        """

    def add(self, thread: Thread, key: IdempotencyKey | None, response: dict[str, Any]) -> None:
        """Add a thread.

        Raises:
            DuplicateIdempotencyKey: another request with the key came first.
        """

    def replace(self, thread: Thread, old: Thread) -> None:
        """Replace a thread's old state.

        Raises:
            ConcurrentModification: the stored state is another.
        """

    def delete(self, thread: Thread) -> None:
        """Delete a thread.

        Raises:
            ConcurrentModification: the thread was changed or deleted in the meantime.
        """

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Return the first response to an idempotency key."""

    def check(self) -> None:
        """Check that the datastore is reachable."""


class Posts(Protocol):
    """The component that owns posts."""

    def has_only_author(self, author_id: str, thread_id: str) -> bool:
        """Return whether every post of a thread that is not deleted is by this author.

        Raises:
            Unavailable: the component is unreachable.
        """
