"""What the service tells others of people, and what it takes from others.

Each has a JSON Schema with examples in `services/users/events/`.
"""

from typing import Any

from chassis.clock import format_timestamp
from users.model import User

REGISTERED = "user.registered"
UPDATED = "user.updated"
SUSPENDED = "user.suspended"
ERASED = "user.erased"
FORGOTTEN = "user.forgotten"


def changed(before: User, after: User) -> str:
    """Name the event of a change: a suspension and its end have one of their own."""
    return UPDATED if before.suspended == after.suspended else SUSPENDED


def state(user: User) -> dict[str, Any]:
    """Give what others may know of a person."""
    return {
        "username": user.username,
        "display_name": user.display_name,
        "bio": user.bio,
        "role": user.role,
        "suspended": user.suspended,
        "created_at": format_timestamp(user.created_at),
    }
