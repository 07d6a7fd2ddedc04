"""Events about users.

Each has a JSON Schema with examples in `services/users/events/`.
"""

from typing import Any

from chassis import codec
from users.model import User, UserState

REGISTERED = "user.registered"
UPDATED = "user.updated"
SUSPENDED = "user.suspended"
ERASED = "user.erased"
FORGOTTEN = "user.forgotten"


def change_type(before: User, after: User) -> str:
    """Return the event type of a change; a suspension and its end have their own."""
    return UPDATED if before.suspended == after.suspended else SUSPENDED


def event_data(user: User) -> dict[str, Any]:
    """Return the data of an event about a user."""
    return codec.to_json(user, UserState)
