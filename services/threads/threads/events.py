"""Events about threads, and the parts of other domains' events that the service uses.

Each event about threads has a JSON Schema with examples in `services/threads/events/`.
"""

from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from chassis import codec
from chassis.messaging.events import EventData
from threads.model import Thread, ThreadState

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


class UserData(EventData):
    """The part of a user's event that the service stores in its replica."""

    display_name: Annotated[str, Field(min_length=1, max_length=50)]
    role: Annotated[str, Field(min_length=1, max_length=32)]
    suspended: bool
    sessions_valid_from: Annotated[int, Field(ge=0)] = 0
    """Version of the account; sessions that were opened at an earlier one have ended."""


class PostData(EventData):
    """The part of a post's event that the service counts."""

    thread_id: Annotated[str, Field(min_length=1, max_length=64)]
    created_at: AwareDatetime
    deleted: bool


def event_data(thread: Thread) -> dict[str, Any]:
    """Return the data of an event about a thread; consumers count its posts themselves."""
    return codec.to_json(thread, ThreadState)


def deleted_event_data(thread: Thread) -> dict[str, Any]:
    """Return the data of a deleted thread's event."""
    data = event_data(thread)
    return {name: data[name] for name in ("author_id", "created_at")}
