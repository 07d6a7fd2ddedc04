"""What components tell each other of posts, whoever keeps them."""

from typing import Annotated, Any

from pydantic import Field

from chassis.clock import stamp
from chassis.messaging.events import Body
from forum.event_fields import AnId, When
from forum.posts.models import PostRow

CREATED = "post.created"
UPDATED = "post.updated"
DELETED = "post.deleted"
ALL = (CREATED, UPDATED, DELETED)


def state(row: PostRow) -> dict[str, Any]:
    """Give what others may know of a post; they render its Markdown themselves."""
    return {
        "thread_id": row.thread_id,
        "author_id": row.author_id,
        "body": row.body,
        "created_at": stamp(row.created_at),
        "edited_at": stamp(row.edited_at) if row.edited_at else None,
        "deleted": row.deleted,
    }


class PostBody(Body):
    """A post."""

    thread_id: AnId
    author_id: AnId
    body: Annotated[str, Field(max_length=16_000)]
    created_at: When
    edited_at: When | None
    deleted: bool
