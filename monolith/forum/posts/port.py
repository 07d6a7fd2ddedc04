"""What the rest of the forum asks of posts, whoever keeps them."""

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
class Post:
    """A post; a deleted one keeps its place without its words."""

    id: str
    thread_id: str
    author: Author
    body: str
    html: str
    created_at: datetime
    edited_at: datetime | None
    deleted: bool
    version: int

    def public_view(self) -> dict[str, Any]:
        """Give the post as JSON shows it, and the version."""
        return {
            "id": self.id,
            "thread_id": self.thread_id,
            "author": {"id": self.author.id, "display_name": self.author.display_name},
            "body": self.body,
            "html": self.html,
            "created_at": format_timestamp(self.created_at),
            "edited_at": format_timestamp(self.edited_at) if self.edited_at else None,
            "deleted": self.deleted,
            "version": self.version,
        }


class Posts(Protocol):
    """What people can do with posts; each raises a `chassis.errors.Failure` if it can't."""

    def create(
        self, identity: Identity, thread_id: str, body: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Write a post and answer its view."""

    def get(self, post_id: str) -> Post:
        """Read a post."""

    def in_thread(self, thread_id: str, order: str, limit: int, cursor: str) -> Listing[Post]:
        """List a thread's posts: `asc` oldest first, `desc` newest first."""

    def by_user(self, user_id: str, limit: int, cursor: str) -> Listing[Post]:
        """List a person's posts, newest first."""

    def change(self, identity: Identity, post_id: str, body: str, expected: Precondition) -> Post:
        """Rewrite one's own post."""

    def delete(self, identity: Identity, post_id: str, expected: Precondition) -> None:
        """Delete a post: by its author or a moderator."""
