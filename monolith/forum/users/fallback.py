"""Profiles to be read while the users service is down, as the replica knows them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chassis.auth.tokens import Identity
from chassis.concurrency import Precondition
from chassis.errors import CutoverInProgress, NotFound, Unavailable
from chassis.idempotency.keys import IdempotencyKey
from forum.database import Database
from forum.users.models import UserRow
from forum.users.port import Erasure, Registration, Session, User, Users


@dataclass(frozen=True)
class UsersWithFallback:
    """People of the service; if it does not answer, profiles are shown and `behind` is called.

    Accounts are the service's alone.
    """

    service: Users
    database: Database
    on_stale: Callable[[], None]

    def get(self, user_id: str) -> User:
        """Read a person."""
        try:
            return self.service.get(user_id)
        except CutoverInProgress:
            raise  # it is about to be somewhere else
        except Unavailable:
            with self.database.reading() as session:
                row = session.get(UserRow, user_id)
            if row is None or not row.version:
                raise
            if row.erased:
                raise NotFound("There is no such user.") from None
            self.on_stale()
            return row.to_user()

    def register(self, new: Registration, key: IdempotencyKey | None = None) -> dict[str, Any]:
        """Open an account and answer its view."""
        return self.service.register(new, key)

    def sign_in(self, username: str, password: str, address: str) -> Session:
        """Open a session."""
        return self.service.sign_in(username, password, address)

    def me(self, identity: Identity) -> User:
        """Read the person who asks."""
        return self.service.me(identity)

    def change(
        self, identity: Identity, user_id: str, changes: dict[str, Any], expected: Precondition
    ) -> User:
        """Change a person."""
        return self.service.change(identity, user_id, changes, expected)

    def change_password(self, identity: Identity, current: str, new: str) -> None:
        """Replace one's password."""
        self.service.change_password(identity, current, new)

    def erase(self, identity: Identity, user_id: str, expected: Precondition) -> None:
        """Erase one's own account."""
        self.service.erase(identity, user_id, expected)

    def erasure(self, user_id: str) -> Erasure:
        """Tell how far a person's erasure is."""
        return self.service.erasure(user_id)
