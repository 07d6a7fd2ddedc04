"""What the use cases need of the world outside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from chassis.idempotency.keys import IdempotencyKey
from chassis.pagination import Key, Page
from users.model import Erasure, User


class UsernameTaken(Exception):
    """Somebody has this username."""


class ConcurrentModification(Exception):
    """Somebody else changed the person since they were read, or erased them."""


@dataclass(frozen=True)
class Account:
    """A person with their password's hash."""

    user: User
    password_hash: str = field(repr=False)


class Store(Protocol):
    """Keeps people, and tells others in the same step what becomes of them."""

    def get(self, user_id: str) -> Account | None:
        """Read a person; strongly consistent."""

    def get_many(self, user_ids: Sequence[str]) -> dict[str, User]:
        """Read those of up to 100 people who exist; strongly consistent."""

    def find(self, username_key: str) -> Account | None:
        """Read a person by name; strongly consistent."""

    def newest(self, limit: int, after: Key | None) -> Page[User]:
        """List people, newest first; may lag behind."""

    def add(
        self, account: Account, name: str, key: IdempotencyKey | None, answer: dict[str, Any]
    ) -> None:
        """Add a person and claim their name.

        Raises:
            NameTaken: somebody has the name.
            KeyTaken: another request with the key came first.
        """

    def replace(self, before: User, after: User) -> None:
        """Write a person's new state over the one that was read.

        Raises:
            Changed: it is not that version any more.
        """

    def set_password(self, account: Account, password_hash: str) -> None:
        """Replace the password's hash that an account was read with.

        Raises:
            Changed: it is another by now, or the person is gone.
        """

    def erase(self, user: User, name: str, erasure: Erasure) -> None:
        """Remove a person, free their name and begin the erasure.

        Raises:
            Changed: the person was changed or erased meanwhile.
        """

    def erasure(self, user_id: str) -> Erasure | None:
        """Read how far a person's erasure is; strongly consistent."""

    def update_erasure(self, before: Erasure, after: Erasure) -> None:
        """Write an erasure's new state over the one that was read.

        Raises:
            Changed: it is another by now.
        """

    def count_attempt(self, counter: str, expires: datetime) -> int:
        """Count one more attempt and answer how many there were."""

    def find_response(self, key: IdempotencyKey | None) -> dict[str, Any] | None:
        """Look up the first answer to an idempotency key."""

    def check(self) -> None:
        """Check that the datastore answers."""
