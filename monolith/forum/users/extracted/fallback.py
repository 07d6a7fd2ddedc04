"""Users at their service, with profiles from the replica while the service is unreachable."""

from collections.abc import Callable

from chassis.client.service_client import ServiceClient
from chassis.errors import CutoverInProgress, NotFound, Unavailable
from forum.database import Database
from forum.users.extracted.remote import RemoteUsers
from forum.users.models import UserRow
from forum.users.state import User


class RemoteUsersWithFallback(RemoteUsers):
    """Users with a fallback for profiles only; `on_stale` is called if the replica is used."""

    def __init__(
        self, client: ServiceClient, database: Database, on_stale: Callable[[], None]
    ) -> None:
        super().__init__(client)
        self._database = database
        self._on_stale = on_stale

    def get(self, user_id: str) -> User:
        """Return a user."""
        try:
            return super().get(user_id)
        except CutoverInProgress:
            raise  # the caller retries at the new owner
        except Unavailable:
            with self._database.reading() as session:
                row = session.get(UserRow, user_id)
            if row is None or not row.version:
                raise
            if row.erased:
                raise NotFound("User not found.") from None
            self._on_stale()
            return row.to_user()
