"""People in the monolith's replica of users."""

from chassis.clock import utc_now
from forum.users.state import UserState


def make_state(username: str, name: str, *, suspended: bool = False) -> UserState:
    """Return the state of a member who has registered just now."""
    return UserState(
        username=username,
        display_name=name,
        bio="",
        role="member",
        created_at=utc_now(),
        suspended=suspended,
    )
