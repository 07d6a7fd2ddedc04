"""Ports: what the use cases need from storage and from other components."""

from typing import Any, Protocol

from chassis.auth.tokens import Identity
from chassis.idempotency.keys import IdempotencyKey
from chassis.pagination import Key, Page
from posts.model import Actor, Post, SessionClaims, Thread


class ConcurrentModification(Exception):
    """The post changed since it was read, or its thread no longer accepts posts."""


class Store(Protocol):
    """Store of posts; each write records its event in the same transaction."""

    def get(self, post_id: str) -> Post | None:
        """Read a post unless its thread is known to be deleted; strongly consistent."""

    def list_newest(self, limit: int, after: Key | None) -> Page[Post]:
        """List posts that are not deleted, newest first; may lag behind."""

    def list_in_thread(
        self, thread_id: str, limit: int, after: Key | None, *, ascending: bool
    ) -> tuple[Page[Post], Thread | None]:
        """List a thread's posts, deleted ones too, from either end, with the known thread.

        Strongly consistent. The thread may be unknown here although it has posts.
        """

    def list_by_author(self, author_id: str, limit: int, after: Key | None) -> Page[Post]:
        """List an author's posts that are not deleted, newest first; may lag behind."""

    def authorize(self, identity: Identity[SessionClaims]) -> Actor:
        """Return the user who is about to write, in the newest known version; strongly consistent.

        Raises:
            Unauthenticated: the account was erased.
            Forbidden: the account is suspended.
        """

    def authorize_in_thread(
        self, identity: Identity[SessionClaims], thread_id: str
    ) -> tuple[Actor, Thread | None]:
        """Return the user who is about to write, as `authorize` does, with the known thread."""

    def store_thread(self, thread: Thread) -> Thread:
        """Store a version of a thread, and return the newest that is known."""

    def add(self, post: Post, key: IdempotencyKey | None, response: dict[str, Any]) -> None:
        """Add a post to a thread that is known and open.

        Raises:
            DuplicateIdempotencyKey: another request with the key came first.
            ConcurrentModification: the thread no longer accepts posts.
        """

    def replace(self, post: Post, old: Post) -> None:
        """Replace a post's old state.

        Raises:
            ConcurrentModification: the stored state is another.
        """

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Return the first response to an idempotency key."""

    def check(self) -> None:
        """Check that the datastore is reachable."""


class Threads(Protocol):
    """The component that owns threads."""

    def get(self, thread_id: str) -> Thread:
        """Return a thread.

        Raises:
            NotFound: there is no such thread.
            Unavailable: the component is unreachable.
        """
