"""Rows of users in the replica, written by version."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from chassis import codec
from forum.database import insert_into
from forum.idempotency import StoredResponse
from forum.users.models import Credential, ErasureRow, UserRow
from forum.users.port import Identity
from forum.users.rules import FORMER_MEMBER, MEMBER, newcomer
from forum.users.state import BLANK_PROFILE, UserState

# The service makes usernames unique; a replica may see an old and a new holder at once.
_UNKNOWN: dict[str, Any] = BLANK_PROFILE | {
    "username": "",
    "username_key": None,
    "display_name": FORMER_MEMBER,
    "role": MEMBER,
    "suspended": False,
    "sessions_valid_from": 0,
    "erased": False,
}


class UnknownErasure(Exception):
    """A component confirmed an erasure that is not known."""


def insert_placeholder(session: Session, user_id: str, at: datetime, name: str) -> None:
    """Insert a placeholder that rows can refer to, for a user who is not known yet.

    Its version 0 is older than that of any session or event.
    """
    row = _UNKNOWN | {"id": user_id, "display_name": name, "created_at": at, "version": 0}
    session.execute(insert_into(session, UserRow).values(row).on_conflict_do_nothing())


def store_claims(session: Session, identity: Identity, now: datetime) -> None:
    """Store a session's claims about its owner, unless the stored version is as new."""
    claims = identity.claims
    learned = {
        "username": claims.username,
        "display_name": claims.name,
        "role": claims.role,
        "suspended": claims.suspended,
        "sessions_valid_from": claims.sessions_valid_from,
    }
    insert_placeholder(session, identity.subject, now, claims.name)
    session.execute(
        update(UserRow)
        .where(UserRow.id == identity.subject, UserRow.version < claims.ver)
        .values(learned | {"version": claims.ver})
        .execution_options(synchronize_session=False)
    )


def upsert(session: Session, user_id: str, version: int, state: UserState) -> None:
    """Store the state of a user, unless the stored version is newer.

    A state of the same version replaces the row too: an event has more fields than a session.
    """
    # The username's key stays: it was claimed while the forum owned users.
    new = codec.attributes(state, UserState) | {"version": version}
    statement = insert_into(session, UserRow).values(_UNKNOWN | new | {"id": user_id})
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_=new,
            where=(UserRow.version <= version) & UserRow.erased.is_(False),
        )
    )


def anonymise(session: Session, user_id: str, version: int, now: datetime) -> bool:
    """Remove the personal data of an erased user; return whether there was any."""
    gone = _UNKNOWN | {"erased": True, "version": version}
    statement = insert_into(session, UserRow).values(gone | {"id": user_id, "created_at": now})
    done = session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"], set_=gone, where=UserRow.erased.is_(False)
        ).returning(UserRow.id)
    ).first()
    session.execute(delete(Credential).where(Credential.user_id == user_id))
    forget_responses(session, user_id)
    return done is not None


def lock_erased(session: Session, user_ids: Collection[str]) -> frozenset[str]:
    """Return which of some users were erased; none is erased until the end of the transaction."""
    mine = UserRow.id.in_(sorted(user_ids))
    found = session.execute(
        select(UserRow.id, UserRow.erased).where(mine).order_by(UserRow.id).with_for_update()
    )
    return frozenset(user_id for user_id, erased in found if erased)


def forget_responses(session: Session, user_id: str) -> None:
    """Delete the responses to an erased user's idempotency keys, and to their registration."""
    own = StoredResponse.scope.startswith(f"{user_id} ", autoescape=True)
    registration = and_(
        StoredResponse.scope.startswith(newcomer(""), autoescape=True),
        StoredResponse.response["id"].as_string() == user_id,
    )
    session.execute(
        delete(StoredResponse)
        .where(or_(own, registration))
        .execution_options(synchronize_session=False)
    )


def confirm_erasure(session: Session, user_id: str, component: str, now: datetime) -> None:
    """Record that a component forgot an erased user; the last one finishes the erasure.

    A repeated or unexpected confirmation changes nothing.

    Raises:
        UnknownErasure: nobody with this id was erased.
    """
    row = session.get(ErasureRow, user_id, with_for_update=True)
    if row is None:
        raise UnknownErasure(user_id)
    if component in row.waiting_for:
        row.waiting_for = [other for other in row.waiting_for if other != component]
        row.finished_at = None if row.waiting_for else now
