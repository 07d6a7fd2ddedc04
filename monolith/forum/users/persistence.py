"""Rows of people whom the users service keeps, put in place here by version."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from chassis.auth.tokens import Identity
from forum.database import insert_into
from forum.users.models import Credential, UserRow
from forum.users.rules import FORMER_MEMBER, MEMBER

# The service makes names unique; a replica may see an old and a new holder at once.
_UNKNOWN = {
    "username": "",
    "username_key": None,
    "display_name": FORMER_MEMBER,
    "bio": "",
    "role": MEMBER,
    "suspended": False,
    "erased": False,
}


def insert_placeholder(session: Session, user_id: str, at: datetime, name: str) -> None:
    """Have a row to refer to, of somebody of whom only a name may be known yet.

    It is older than anything that a session or an event will tell.
    """
    row = _UNKNOWN | {"id": user_id, "display_name": name, "created_at": at, "version": 0}
    session.execute(insert_into(session, UserRow).values(row).on_conflict_do_nothing())


def store_claims(session: Session, identity: Identity, now: datetime) -> None:
    """Keep what a session tells of a person, unless as much is known."""
    learned = {
        "username": identity.username,
        "display_name": identity.name,
        "role": identity.role,
        "suspended": identity.suspended,
    }
    insert_placeholder(session, identity.subject, now, identity.name)
    session.execute(
        update(UserRow)
        .where(UserRow.id == identity.subject, UserRow.version < identity.version)
        .values(learned | {"version": identity.version})
        .execution_options(synchronize_session=False)
    )


def upsert(session: Session, user_id: str, version: int, state: dict[str, Any]) -> None:
    """Keep what was told of a person, unless more is known.

    Of the same version as well: a session knows less of it than an event.
    """
    # The key of a name stays: it was the forum's to give when it was given.
    new = state | {"version": version}
    statement = insert_into(session, UserRow).values(_UNKNOWN | new | {"id": user_id})
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_=new,
            where=(UserRow.version <= version) & UserRow.erased.is_(False),
        )
    )


def anonymise(session: Session, user_id: str, version: int, now: datetime) -> bool:
    """Leave of a person only that the account was erased; answers whether more was left."""
    gone = _UNKNOWN | {"erased": True, "version": version}
    statement = insert_into(session, UserRow).values(gone | {"id": user_id, "created_at": now})
    done = session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"], set_=gone, where=UserRow.erased.is_(False)
        ).returning(UserRow.id)
    ).first()
    session.execute(delete(Credential).where(Credential.user_id == user_id))
    return done is not None
