"""Reads of users in the forum's own database."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from forum.database import Database
from forum.users.models import UserRow


@dataclass(frozen=True)
class Handle:
    """The username and role, which distinguish users with the same display name.

    `suspended` is as of version `version` of the account, which a replica learns later.
    """

    username: str
    role: str
    suspended: bool
    version: int


@dataclass(frozen=True)
class UserQueries:
    """Reads of users, whether the forum's own or a replica of the service's."""

    database: Database

    def handles(self, user_ids: Collection[str]) -> Mapping[str, Handle]:
        """Return the handles of the users who are known here and not erased, by id."""
        query = select(UserRow).where(
            UserRow.id.in_(set(user_ids)), UserRow.erased.is_(False), UserRow.version > 0
        )
        with self.database.reading() as session:
            return {
                row.id: Handle(row.username, row.role, row.suspended, row.version)
                for row in session.scalars(query)
            }
