"""Events about users."""

from typing import Any

from chassis import codec
from forum.users.models import UserRow
from forum.users.state import UserState

REGISTERED = "user.registered"
UPDATED = "user.updated"
SUSPENDED = "user.suspended"
ERASED = "user.erased"
FORGOTTEN = "user.forgotten"
ALL = (REGISTERED, UPDATED, SUSPENDED, ERASED)


def event_data(row: UserRow) -> dict[str, Any]:
    """Return the data of an event about a user."""
    return codec.to_json(UserState(**codec.attributes(row, UserState)))
