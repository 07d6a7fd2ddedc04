"""What components tell each other of people, whoever keeps them."""

from typing import Annotated, Any

from pydantic import Field

from chassis.clock import format_timestamp
from chassis.messaging.events import EventData
from forum.event_fields import Timestamp
from forum.users.models import UserRow

REGISTERED = "user.registered"
UPDATED = "user.updated"
SUSPENDED = "user.suspended"
ERASED = "user.erased"
FORGOTTEN = "user.forgotten"
ALL = (REGISTERED, UPDATED, SUSPENDED, ERASED)


def state(row: UserRow) -> dict[str, Any]:
    """Give what others may know of a person."""
    return {
        "username": row.username,
        "display_name": row.display_name,
        "bio": row.bio,
        "role": row.role,
        "suspended": row.suspended,
        "created_at": format_timestamp(row.created_at),
    }


class UserData(EventData):
    """A person that still has an account."""

    username: Annotated[str, Field(min_length=1, max_length=40)]
    display_name: Annotated[str, Field(min_length=1, max_length=50)]
    bio: Annotated[str, Field(max_length=500)]
    role: Annotated[str, Field(min_length=1, max_length=16)]
    suspended: bool
    created_at: Timestamp
