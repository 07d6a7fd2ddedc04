"""Who is about to write something: one of the forum's own people, or one of the users service."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from chassis.auth.tokens import Identity
from chassis.auth.user_replica import account_erased, account_suspended
from chassis.clock import Clock
from forum.users.models import UserRow
from forum.users.persistence import insert_placeholder, store_claims
from forum.users.port import Author
from forum.users.rules import FORMER_MEMBER


@dataclass(frozen=True)
class Actor:
    """A person who may write."""

    author: Author
    role: str

    @property
    def id(self) -> str:
        """The person's id."""
        return self.author.id


class Actors(Protocol):
    """Turns a session into a person whom rows can refer to."""

    def authorize_writer(self, session: Session, identity: Identity) -> Actor:
        """Let a person write.

        Raises:
            Unauthenticated: they have erased their account.
            Forbidden: they are suspended.
        """

    def ensure_user(
        self, session: Session, user_id: str, at: datetime, name: str = FORMER_MEMBER
    ) -> None:
        """Have a row for somebody of whom another component tells: by this name, if none else."""


class OwnActors:
    """People of the forum's own table, as they are now."""

    def authorize_writer(self, session: Session, identity: Identity) -> Actor:
        """Let a person write, as the table knows them."""
        return _permitted(session.get(UserRow, identity.subject))

    def ensure_user(
        self, session: Session, user_id: str, at: datetime, name: str = FORMER_MEMBER
    ) -> None:
        """Leave it to the foreign key: who is not in the table is nobody."""


class ReplicaActors:
    """People of the users service, as far as events and their own sessions have told of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def authorize_writer(self, session: Session, identity: Identity) -> Actor:
        """Let a person write, as of the newest that is known; keeps what only a session knows."""
        row = session.get(UserRow, identity.subject)
        if row is None or row.version < identity.version:
            store_claims(session, identity, self._clock())
            row = session.get_one(UserRow, identity.subject, populate_existing=True)
        return _permitted(row)

    def ensure_user(
        self, session: Session, user_id: str, at: datetime, name: str = FORMER_MEMBER
    ) -> None:
        """Have a row that says no more than this, until an event says more."""
        insert_placeholder(session, user_id, at, name)


def _permitted(row: UserRow | None) -> Actor:
    if row is None or row.erased:
        raise account_erased()
    if row.suspended:
        raise account_suspended()
    return Actor(row.to_author(), row.role)
