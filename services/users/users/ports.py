"""Ports: what the use cases need from storage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from chassis.idempotency.keys import IdempotencyKey
from chassis.pagination import Key, Page
from users.model import Erasure, User


class UsernameTaken(Exception):
    """Another account has this username."""


class ConcurrentModification(Exception):
    """The account changed since it was read, or was erased."""


@dataclass(frozen=True)
class Account:
    """A user with the hash of their password."""

    user: User
    password_hash: str = field(repr=False)


class Store(Protocol):
    """Store of users; each write records its event in the same transaction."""

    def get(self, user_id: str) -> Account | None:
        """Read an account; strongly consistent."""

    def get_many(self, user_ids: Sequence[str]) -> dict[str, User]:
        """Read up to 100 users by id, as far as they exist; strongly consistent."""

    def find(self, username_key: str) -> Account | None:
        """Read an account by its username's key; strongly consistent."""

    def newest(self, limit: int, after: Key | None) -> Page[User]:
        """List users, newest first; may lag behind."""

    def add(
        self, account: Account, name: str, key: IdempotencyKey | None, response: dict[str, Any]
    ) -> None:
        """Add an account and claim its username.

        Raises:
            UsernameTaken: an account has the username, perhaps from an earlier such request.
        """

    def replace(self, before: User, after: User, password_hash: str | None = None) -> None:
        """Replace the state of a user that was read, and the password's hash if there is a new one.

        Raises:
            ConcurrentModification: the stored version is another.
        """

    def erase(self, user: User, name: str, erasure: Erasure) -> None:
        """Remove an account, free its username and begin the erasure.

        Raises:
            ConcurrentModification: the account was changed or erased in the meantime.
        """

    def erasure(self, user_id: str) -> Erasure | None:
        """Read the erasure of an account; strongly consistent."""

    def update_erasure(self, before: Erasure, after: Erasure) -> None:
        """Replace the state of an erasure that was read.

        Raises:
            ConcurrentModification: the stored state is another.
        """

    def count_attempt(self, counter: str, expires: datetime) -> int:
        """Count one more attempt, and return how many there were."""

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Return the first response to an idempotency key."""

    def check(self) -> None:
        """Check that the datastore is reachable."""
