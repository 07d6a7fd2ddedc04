"""The port of users: the operations that the rest of the forum uses."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from chassis.auth import tokens
from chassis.clock import format_timestamp
from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.users.state import User


@dataclass(frozen=True)
class SessionClaims:
    """The claims of a session token about its owner, as of version `ver` of the account."""

    username: str
    name: str
    role: str
    suspended: bool
    ver: int
    sessions_valid_from: int = 0


Identity = tokens.Identity[SessionClaims]
"""The owner of a verified session."""


@dataclass(frozen=True)
class Erasure:
    """The public view of an account's erasure."""

    id: str  # of the user
    requested_at: datetime
    finished_at: datetime | None

    def public_view(self) -> dict[str, Any]:
        """Return the erasure as JSON shows it."""
        return {
            "id": self.id,
            "status": "erased" if self.finished_at else "erasing",
            "requested_at": format_timestamp(self.requested_at),
            "finished_at": self.finished_at and format_timestamp(self.finished_at),
        }


@dataclass(frozen=True)
class Registration:
    """The content of a registration; an empty display name means the username."""

    username: str
    display_name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Session:
    """A session that was just opened."""

    user: User
    expires_at: datetime
    token: str = field(repr=False)


@dataclass(frozen=True)
class Limits:
    """Rate limits of sign-ins and registrations in a window of time."""

    per_name: int
    per_address: int
    window: timedelta


class Users(Protocol):
    """The use cases of users; each raises a `chassis.errors.Failure` if it fails."""

    def register(
        self, new: Registration, address: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Open an account, and return its public view."""

    def sign_in(self, username: str, password: str, address: str) -> Session:
        """Open a session."""

    def get(self, user_id: str) -> User:
        """Return a user."""

    def me(self, identity: Identity) -> User:
        """Return the session's owner."""

    def change(
        self,
        identity: Identity,
        user_id: str,
        changes: dict[str, Any],
        expected: Precondition,
        password: str = "",
    ) -> User:
        """Change a user: the profile by themselves, role and suspension by a moderator.

        A moderator confirms a change of a role with their own password.
        """

    def change_password(self, identity: Identity, current: str, new: str) -> Session:
        """Replace one's password, end all sessions, and continue this one with a new token."""

    def sign_out_everywhere(self, identity: Identity) -> None:
        """End all of one's sessions, this one too."""

    def erase(
        self, identity: Identity, user_id: str, password: str, expected: Precondition
    ) -> None:
        """Erase one's own account and free its username."""

    def erasure(self, user_id: str) -> Erasure:
        """Return the erasure of an account."""
