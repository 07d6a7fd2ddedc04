"""What the use cases need of the world outside."""

from typing import Any, Protocol

from chassis.idempotency import IdempotencyKey
from chassis.paging import Key, Page
from posts.model import Author, Post


class Changed(Exception):
    """Somebody else changed the post since it was read."""


class Store(Protocol):
    """Keeps posts."""

    def get(self, post_id: str) -> Post | None:
        """Read a post; strongly consistent."""

    def newest(self, limit: int, after: Key | None) -> Page[Post]:
        """List posts that are not deleted, newest first; may lag behind."""

    def in_thread(
        self, thread_id: str, limit: int, after: Key | None, *, ascending: bool
    ) -> Page[Post]:
        """List a thread's posts, deleted ones too, from either end; strongly consistent."""

    def by_author(self, author_id: str, limit: int, after: Key | None) -> Page[Post]:
        """List a person's posts that are not deleted, newest first; may lag behind."""

    def remember(self, author: Author, version: int) -> Author:
        """Keep an author's name as of a version of theirs, and answer the newest name known."""

    def add(self, post: Post, key: IdempotencyKey | None, answer: dict[str, Any]) -> None:
        """Add a post.

        Raises:
            KeyTaken: another request with the key came first.
        """

    def replace(self, post: Post, expected: int) -> None:
        """Write a post's new state over the version that was expected.

        Raises:
            Changed: it is not that version any more.
        """

    def answered(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Look up the first answer to an idempotency key."""

    def check(self) -> None:
        """Check that the datastore answers."""


class Threads(Protocol):
    """The threads component."""

    def is_locked(self, thread_id: str) -> bool:
        """Tell whether a thread takes no more posts.

        Raises:
            NotFound: there is no such thread.
            Unavailable: nobody can tell right now.
        """
