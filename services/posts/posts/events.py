"""Events about posts, and the parts of other domains' events that the service uses.

Each event about posts has a JSON Schema with examples in `services/posts/events/`.
"""

from typing import Annotated, Any

from pydantic import Field

from chassis import codec
from chassis.messaging.events import EventData
from posts.model import Post, PostState

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


class UserData(EventData):
    """The part of a user's event that the service stores in its replica."""

    display_name: Annotated[str, Field(min_length=1, max_length=50)]
    role: Annotated[str, Field(min_length=1, max_length=32)]
    suspended: bool
    sessions_valid_from: Annotated[int, Field(ge=0)] = 0
    """Version of the account; sessions that were opened at an earlier one have ended."""


class ThreadData(EventData):
    """The part of a thread's event that the service stores in its replica."""

    title: Annotated[str, Field(min_length=1)]
    locked: bool


def change_type(post: Post) -> str:
    """Return the event type of a change."""
    return DELETED if post.deleted else UPDATED


def event_data(post: Post) -> dict[str, Any]:
    """Return the data of an event about a post; consumers render the Markdown themselves."""
    return codec.to_json(post, PostState)
