"""What the rest of the forum asks of users, whoever keeps them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from chassis.auth.tokens import Identity
from chassis.clock import format_timestamp
from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey


@dataclass(frozen=True)
class User:
    """A person as everybody may see them."""

    id: str
    username: str
    display_name: str
    bio: str
    role: str
    created_at: datetime
    version: int

    def public_view(self) -> dict[str, Any]:
        """Give the person as JSON shows them, and the version."""
        return {
            "id": self.id,
            "username": self.username,
            "display_name": self.display_name,
            "bio": self.bio,
            "role": self.role,
            "created_at": format_timestamp(self.created_at),
            "version": self.version,
        }


@dataclass(frozen=True)
class Author:
    """The one who wrote something."""

    id: str
    display_name: str


@dataclass(frozen=True)
class Erasure:
    """How far the erasure of an account is, as everybody may see it."""

    id: str  # the person's
    requested_at: datetime
    finished_at: datetime | None

    def public_view(self) -> dict[str, Any]:
        """Give the erasure as JSON shows it."""
        return {
            "id": self.id,
            "status": "erased" if self.finished_at else "erasing",
            "requested_at": format_timestamp(self.requested_at),
            "finished_at": self.finished_at and format_timestamp(self.finished_at),
        }


@dataclass(frozen=True)
class Registration:
    """What somebody fills in to get an account; an empty display name means the username."""

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
    """How many sign-ins are let through in a window of time."""

    per_name: int
    per_address: int
    window: timedelta


class Users(Protocol):
    """What people can do with accounts; each raises a `chassis.errors.Failure` if it can't."""

    def register(self, new: Registration, key: IdempotencyKey | None = None) -> dict[str, Any]:
        """Open an account and answer its view."""

    def sign_in(self, username: str, password: str, address: str) -> Session:
        """Open a session."""

    def get(self, user_id: str) -> User:
        """Read a person."""

    def me(self, identity: Identity) -> User:
        """Read the person who asks."""

    def change(
        self, identity: Identity, user_id: str, changes: dict[str, Any], expected: Precondition
    ) -> User:
        """Change a person: their profile by themselves, role and suspension by a moderator."""

    def change_password(self, identity: Identity, current: str, new: str) -> None:
        """Replace one's password."""

    def erase(self, identity: Identity, user_id: str, expected: Precondition) -> None:
        """Erase one's own account and free its username."""

    def erasure(self, user_id: str) -> Erasure:
        """Tell how far a person's erasure is."""
