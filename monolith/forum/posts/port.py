"""The port of posts: the operations that the rest of the forum uses."""

from typing import Any, Protocol

from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.pagination import Listing
from forum.posts.state import Post
from forum.users.port import Identity


class Posts(Protocol):
    """The use cases of posts; each raises a `chassis.errors.Failure` if it fails."""

    def create(
        self, identity: Identity, thread_id: str, body: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Add a post, and return its public view."""

    def get(self, post_id: str) -> Post:
        """Return a post."""

    def in_thread(self, thread_id: str, order: str, limit: int, cursor: str) -> Listing[Post]:
        """List a thread's posts: `asc` oldest first, `desc` newest first."""

    def by_user(self, user_id: str, limit: int, cursor: str) -> Listing[Post]:
        """List an author's posts, newest first."""

    def change(self, identity: Identity, post_id: str, body: str, expected: Precondition) -> Post:
        """Replace the text of one's own post."""

    def delete(self, identity: Identity, post_id: str, expected: Precondition) -> None:
        """Delete a post, as its author or a moderator."""
