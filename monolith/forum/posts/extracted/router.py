"""Posts at their current owner."""

from typing import Any

from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.ownership.routing import OwnerRoute
from forum.pagination import Listing
from forum.posts.port import Posts
from forum.posts.state import Post
from forum.users.port import Identity


class PostsRouter:
    """Implementation of the port that calls the owner's implementation."""

    def __init__(self, route: OwnerRoute[Posts]) -> None:
        self._route = route

    def create(
        self, identity: Identity, thread_id: str, body: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Add a post, and return its public view."""
        return self._route.call(lambda posts: posts.create(identity, thread_id, body, key))

    def get(self, post_id: str) -> Post:
        """Return a post."""
        return self._route.call(lambda posts: posts.get(post_id))

    def in_thread(self, thread_id: str, order: str, limit: int, cursor: str) -> Listing[Post]:
        """List a thread's posts: `asc` oldest first, `desc` newest first."""
        return self._route.call(lambda posts: posts.in_thread(thread_id, order, limit, cursor))

    def by_user(self, user_id: str, limit: int, cursor: str) -> Listing[Post]:
        """List an author's posts, newest first."""
        return self._route.call(lambda posts: posts.by_user(user_id, limit, cursor))

    def change(self, identity: Identity, post_id: str, body: str, expected: Precondition) -> Post:
        """Replace the text of one's own post."""
        return self._route.call(lambda posts: posts.change(identity, post_id, body, expected))

    def delete(self, identity: Identity, post_id: str, expected: Precondition) -> None:
        """Delete a post."""
        self._route.call(lambda posts: posts.delete(identity, post_id, expected))
