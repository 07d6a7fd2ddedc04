"""Comparison of the keys that make usernames unique with the users."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chassis.ownership.records import Record
from forum.database import Database
from forum.users.models import UserRow
from forum.users.rules import username_key


@dataclass(frozen=True)
class UserIndexCheck:
    """Implementation of `chassis.ownership.index_check.IndexCheck`."""

    database: Database

    def check_records(self, records: Sequence[Record], *, repair: bool) -> dict[str, str]:
        """Find users whose name is not claimed for them."""
        ids = [record["id"] for record in records if not record["erased"]]
        query = select(UserRow).where(UserRow.id.in_(ids), UserRow.erased.is_(False))
        with self.database.reading() as session:
            users = list(session.scalars(query))
        wrong = {
            user.id: f"username {username_key(user.username)!r} is not claimed"
            for user in users
            if user.username_key != username_key(user.username)
        }
        if repair:
            for user in users:
                if user.id in wrong and not self._set_key(user, username_key(user.username)):
                    wrong[user.id] += "; another user has it"
        return wrong

    def check_entries(
        self, after: str, limit: int, *, repair: bool
    ) -> tuple[dict[str, str], str | None]:
        """Find claims of usernames by users who do not have them."""
        query = (
            select(UserRow)
            .where(UserRow.id > after, UserRow.username_key.is_not(None))
            .order_by(UserRow.id)
            .limit(limit)
        )
        with self.database.reading() as session:
            users = list(session.scalars(query))
        wrong = {
            user.id: f"username {user.username_key!r} is claimed, but not the user's"
            for user in users
            if user.erased or user.username_key != username_key(user.username)
        }
        if repair:
            for user in users:
                if user.id in wrong:
                    self._set_key(user, None)
        return wrong, users[-1].id if len(users) == limit else None

    def _set_key(self, user: UserRow, key: str | None) -> bool:
        """Replace the key of a user who did not change; return False if it is another user's."""
        try:
            with self.database.writing() as session:
                _update(session, user, key)
        except IntegrityError:
            return False
        return True


def _update(session: Session, user: UserRow, key: str | None) -> None:
    unchanged = UserRow.id == user.id, UserRow.version == user.version
    seen = UserRow.username_key.is_not_distinct_from(user.username_key)
    session.execute(update(UserRow).where(*unchanged, seen).values(username_key=key))
