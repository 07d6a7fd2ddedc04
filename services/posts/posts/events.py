"""What the service tells others of posts, and what it takes from others.

Each that it tells of posts has a JSON Schema with examples in `services/posts/events/`.
"""

from typing import Annotated, Any

from pydantic import Field

from chassis.clock import format_timestamp
from chassis.messaging.events import EventData
from posts.model import Post

CREATED = "post.created"
UPDATED = "post.updated"
DELETED = "post.deleted"
FORGOTTEN = "user.forgotten"

USER_REGISTERED = "user.registered"
USER_UPDATED = "user.updated"
USER_SUSPENDED = "user.suspended"
USER_ERASED = "user.erased"
THREAD_CREATED = "thread.created"
THREAD_UPDATED = "thread.updated"
THREAD_DELETED = "thread.deleted"


class ThreadData(EventData):
    """What is needed of an event about a thread that is there."""

    title: Annotated[str, Field(min_length=1)]
    locked: bool


def changed(post: Post) -> str:
    """Name the event of a change."""
    return DELETED if post.deleted else UPDATED


def state(post: Post) -> dict[str, Any]:
    """Give what others may know of a post; they render its Markdown themselves."""
    return {
        "thread_id": post.thread_id,
        "author_id": post.author.id,
        "body": post.body,
        "created_at": format_timestamp(post.created_at),
        "edited_at": format_timestamp(post.edited_at) if post.edited_at else None,
        "deleted": post.deleted,
    }
