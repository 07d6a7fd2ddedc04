"""What the use cases need of the world outside."""

from collections.abc import Sequence
from typing import Any, Protocol

from chassis.auth.tokens import Identity
from chassis.idempotency.keys import IdempotencyKey
from chassis.pagination import Key, Page
from threads.model import Thread


class ConcurrentModification(Exception):
    """Somebody else changed the thread since it was read, or deleted it."""


class Store(Protocol):
    """Keeps threads, and tells others in the same step what becomes of them."""

    def get(self, thread_id: str) -> Thread | None:
        """Read a thread; strongly consistent."""

    def list_by_activity(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads, the latest activity first; may lag behind."""

    def list_newest(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads, newest first; may lag behind."""

    def search(self, words: Sequence[str], limit: int, after: Key | None) -> Page[Thread]:
        """List threads with all these words in their titles, newest first; strongly consistent.

        A page may hold fewer than `limit` threads although more follow.
        """

    def authorize(self, identity: Identity) -> Identity:
        """Tell who is about to write, as they are known by now; strongly consistent.

        Raises:
            Unauthenticated: their account was erased.
            Forbidden: it is suspended.
        """

    def add(self, thread: Thread, key: IdempotencyKey | None, answer: dict[str, Any]) -> None:
        """Add a thread.

        Raises:
            KeyTaken: another request with the key came first.
        """

    def replace(self, thread: Thread, old: Thread) -> None:
        """Write a thread's new state over the old one.

        Raises:
            Changed: it is not in the old state any more.
        """

    def delete(self, thread: Thread) -> None:
        """Delete a thread.

        Raises:
            Changed: the thread was changed or deleted meanwhile.
        """

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Look up the first answer to an idempotency key."""

    def check(self) -> None:
        """Check that the datastore answers."""


class Posts(Protocol):
    """The posts component."""

    def has_only_author(self, author_id: str, thread_id: str) -> bool:
        """Tell whether every post of a thread that is not deleted is by this author.

        Raises:
            Unavailable: the posts component does not answer.
        """
