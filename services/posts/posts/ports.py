"""What the use cases need of the world outside."""

from typing import Any, Protocol

from chassis.auth.tokens import Identity
from chassis.idempotency.keys import IdempotencyKey
from chassis.pagination import Key, Page
from posts.model import Post, Thread


class ConcurrentModification(Exception):
    """Somebody else changed the post since it was read, or whether its thread takes posts."""


class Store(Protocol):
    """Keeps posts, and tells others in the same step what becomes of them."""

    def get(self, post_id: str) -> Post | None:
        """Read a post, unless its thread is known to be deleted; strongly consistent."""

    def list_newest(self, limit: int, after: Key | None) -> Page[Post]:
        """List posts that are not deleted, newest first; may lag behind."""

    def list_in_thread(
        self, thread_id: str, limit: int, after: Key | None, *, ascending: bool
    ) -> tuple[Page[Post], Thread | None]:
        """List a thread's posts, deleted ones too, from either end, and what is known of it.

        Strongly consistent. The thread may be unknown here although it has posts.
        """

    def list_by_author(self, author_id: str, limit: int, after: Key | None) -> Page[Post]:
        """List a person's posts that are not deleted, newest first; may lag behind."""

    def authorize(self, identity: Identity) -> Identity:
        """Tell who is about to write, as they are known by now; strongly consistent.

        Raises:
            Unauthenticated: their account was erased.
            Forbidden: it is suspended.
        """

    def authorize_in_thread(
        self, identity: Identity, thread_id: str
    ) -> tuple[Identity, Thread | None]:
        """Tell who is about to write, as `actor` does, and what is known of a thread."""

    def store_thread(self, thread: Thread) -> Thread:
        """Keep what was told of a thread, and answer the newest that is known."""

    def add(self, post: Post, key: IdempotencyKey | None, answer: dict[str, Any]) -> None:
        """Add a post to a thread that is known and takes posts.

        Raises:
            KeyTaken: another request with the key came first.
            Changed: the thread takes no posts any more.
        """

    def replace(self, post: Post, old: Post) -> None:
        """Write a post's new state over the old one.

        Raises:
            Changed: it is not in the old state any more.
        """

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Look up the first answer to an idempotency key."""

    def check(self) -> None:
        """Check that the datastore answers."""


class Threads(Protocol):
    """The threads component."""

    def get(self, thread_id: str) -> Thread:
        """Ask for a thread.

        Raises:
            NotFound: there is no such thread.
            Unavailable: nobody can tell right now.
        """
