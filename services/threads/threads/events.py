"""What the service tells others of threads, and what it takes from others.

Each that it tells of threads has a JSON Schema with examples in `services/threads/events/`.
"""

from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from chassis.clock import format_timestamp
from chassis.messaging.events import EventData
from threads.model import Thread

CREATED = "thread.created"
UPDATED = "thread.updated"
DELETED = "thread.deleted"
FORGOTTEN = "user.forgotten"

USER_REGISTERED = "user.registered"
USER_UPDATED = "user.updated"
USER_SUSPENDED = "user.suspended"
USER_ERASED = "user.erased"
POST_CREATED = "post.created"
POST_UPDATED = "post.updated"
POST_DELETED = "post.deleted"


def state(thread: Thread) -> dict[str, Any]:
    """Give what others may know of a thread; they count its posts by themselves."""
    return remains(thread) | {"title": thread.title, "locked": thread.locked}


def remains(thread: Thread) -> dict[str, Any]:
    """Give what others may know of a thread that was deleted."""
    return {"author_id": thread.author.id, "created_at": format_timestamp(thread.created_at)}


class PostData(EventData):
    """What is needed of an event about a post: where it counts, since when, and whether still."""

    thread_id: Annotated[str, Field(min_length=1, max_length=64)]
    created_at: AwareDatetime
    deleted: bool
