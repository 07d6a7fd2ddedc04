"""Who is about to write something: one of the forum's own people, or one of the users service."""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from chassis.clock import Clock
from chassis.errors import Forbidden, Unauthenticated
from chassis.tokens import Identity
from forum.users.models import UserRow
from forum.users.port import Author


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

    def writer(self, session: Session, identity: Identity) -> Actor:
        """Let a person write.

        Raises:
            Unauthenticated: they have erased their account.
            Forbidden: they are suspended.
        """


class OwnActors:
    """People of the forum's own table, as they are now."""

    def writer(self, session: Session, identity: Identity) -> Actor:
        """Let a person write, as the table knows them."""
        row = session.get(UserRow, identity.subject)
        if row is None or row.erased:
            detail = "This account does not exist any more."
            raise Unauthenticated(detail)
        if row.suspended:
            detail = "This account is suspended."
            raise Forbidden(detail, kind="urn:problem:suspended")
        return Actor(row.author(), row.role)


class ReplicaActors:
    """People of the users service, kept here as far as joins and foreign keys need them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def writer(self, session: Session, identity: Identity) -> Actor:
        """Let a person write, as their session tells of them; remembers them first."""
        remember(session, identity, self._clock)
        row = session.get_one(UserRow, identity.subject, populate_existing=True)
        return Actor(row.author(), identity.role)


def remember(session: Session, identity: Identity, clock: Clock) -> None:
    """Keep what a session tells of a person, unless a newer version is known."""
    learned = {
        "username": identity.username,
        "display_name": identity.name,
        "role": identity.role,
        "version": identity.version,
    }
    # The service makes names unique; a replica may see an old and a new holder at once.
    new = learned | {
        "id": identity.subject,
        "username_key": None,
        "bio": "",
        "suspended": False,
        "erased": False,
        "created_at": clock(),
    }
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(UserRow).values(new).on_conflict_do_nothing())
    session.execute(
        update(UserRow)
        .where(UserRow.id == identity.subject, UserRow.version < identity.version)
        .values(learned)
    )
