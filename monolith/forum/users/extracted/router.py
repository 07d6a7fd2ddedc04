"""Users at their current owner."""

from typing import Any

from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.ownership.routing import OwnerRoute
from forum.users.port import Erasure, Identity, Registration, Session, Users
from forum.users.state import User


class UsersRouter:
    """Implementation of the port that calls the owner's implementation."""

    def __init__(self, route: OwnerRoute[Users]) -> None:
        self._route = route

    def register(
        self, new: Registration, address: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Open an account, and return its public view."""
        return self._route.call(lambda users: users.register(new, address, key))

    def sign_in(self, username: str, password: str, address: str) -> Session:
        """Open a session."""
        return self._route.call(lambda users: users.sign_in(username, password, address))

    def get(self, user_id: str) -> User:
        """Return a user."""
        return self._route.call(lambda users: users.get(user_id))

    def me(self, identity: Identity) -> User:
        """Return the session's owner."""
        return self._route.call(lambda users: users.me(identity))

    def change(
        self,
        identity: Identity,
        user_id: str,
        changes: dict[str, Any],
        expected: Precondition,
        password: str = "",
    ) -> User:
        """Change a user."""
        return self._route.call(
            lambda users: users.change(identity, user_id, changes, expected, password)
        )

    def change_password(self, identity: Identity, current: str, new: str) -> Session:
        """Replace one's password and end all sessions."""
        return self._route.call(lambda users: users.change_password(identity, current, new))

    def sign_out_everywhere(self, identity: Identity) -> None:
        """End all of one's sessions."""
        self._route.call(lambda users: users.sign_out_everywhere(identity))

    def erase(
        self, identity: Identity, user_id: str, password: str, expected: Precondition
    ) -> None:
        """Erase one's own account."""
        self._route.call(lambda users: users.erase(identity, user_id, password, expected))

    def erasure(self, user_id: str) -> Erasure:
        """Return the erasure of an account."""
        return self._route.call(lambda users: users.erasure(user_id))
