"""The users who write: those of the forum's own table, or of the replica of the users service."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from chassis.clock import Clock
from chassis.errors import Forbidden, Unauthenticated, session_ended
from forum.users.models import UserRow
from forum.users.persistence import insert_placeholder, store_claims
from forum.users.port import Identity
from forum.users.rules import FORMER_MEMBER
from forum.users.state import Author


@dataclass(frozen=True)
class Actor:
    """A user who may write."""

    author: Author
    role: str

    @property
    def id(self) -> str:
        """The user's id."""
        return self.author.id


class Actors(Protocol):
    """Turns a session into a user that rows can refer to."""

    def authorize_writer(self, session: Session, identity: Identity) -> Actor:
        """Return the user of a session who may write.

        Raises:
            Unauthenticated: the session has ended, or the account was erased.
            Forbidden: the account is suspended.
        """

    def current_name(self, session: Session, identity: Identity) -> str | None:
        """Return the display name of a session's owner, which may be newer than the session.

        None if the session has ended before its token expires.
        """

    def ensure_user(
        self, session: Session, user_id: str, at: datetime, name: str = FORMER_MEMBER
    ) -> None:
        """Make sure that there is a row for a user; `name` is shown if no other is known."""


class OwnedActors:
    """Users of the forum's own table."""

    def authorize_writer(self, session: Session, identity: Identity) -> Actor:
        """Return the user of a session, according to the table."""
        return _permitted(session.get(UserRow, identity.subject), identity)

    def current_name(self, session: Session, identity: Identity) -> str | None:
        """Return the display name according to the table; None if the session has ended."""
        row = session.get(UserRow, identity.subject)
        return None if row is None or _is_over(row, identity) else row.display_name

    def ensure_user(
        self, session: Session, user_id: str, at: datetime, name: str = FORMER_MEMBER
    ) -> None:
        """Do nothing: all users are in the table, and the foreign key checks it."""


class ReplicaActors:
    """Users of the users service, as known from events and sessions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def authorize_writer(self, session: Session, identity: Identity) -> Actor:
        """Return the user of a session in the newest known version; store newer claims."""
        row = session.get(UserRow, identity.subject)
        if row is None or row.version < identity.claims.ver:
            store_claims(session, identity, self._clock())
            row = session.get_one(UserRow, identity.subject, populate_existing=True)
        return _permitted(row, identity)

    def current_name(self, session: Session, identity: Identity) -> str | None:
        """Return the display name as far as known, or the session's; None if that has ended."""
        row = session.get(UserRow, identity.subject)
        if row is not None and _is_over(row, identity):
            return None
        if row is None or row.version < identity.claims.ver:
            return identity.claims.name
        return row.display_name

    def ensure_user(
        self, session: Session, user_id: str, at: datetime, name: str = FORMER_MEMBER
    ) -> None:
        """Insert a placeholder until an event of the user arrives."""
        insert_placeholder(session, user_id, at, name)


def _is_over(row: UserRow, identity: Identity) -> bool:
    return row.erased or row.has_ended(identity.claims)


def _permitted(row: UserRow | None, identity: Identity) -> Actor:
    if row is None or row.erased:
        detail = "This account no longer exists."
        raise Unauthenticated(detail)
    if row.has_ended(identity.claims):
        raise session_ended()
    if row.suspended:
        detail = "This account is suspended."
        raise Forbidden(detail, kind="urn:problem:suspended")
    return Actor(row.to_author(), row.role)
