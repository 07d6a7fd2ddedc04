"""What components tell each other of posts, whoever keeps them."""

from typing import Annotated, Any

from pydantic import Field

from chassis.clock import format_timestamp
from chassis.messaging.events import EventData
from forum.event_fields import EntityId, Timestamp
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
        "created_at": format_timestamp(row.created_at),
        "edited_at": format_timestamp(row.edited_at) if row.edited_at else None,
        "deleted": row.deleted,
    }


class PostData(EventData):
    """A post."""

    thread_id: EntityId
    author_id: EntityId
    body: Annotated[str, Field(max_length=16_000)]
    created_at: Timestamp
    edited_at: Timestamp | None
    deleted: bool
