"""People and the rules about them; the standard library only."""

import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime

MEMBER = "member"
MODERATOR = "moderator"
FORMER_MEMBER = "former member"
"""By what name others show somebody whose account was erased."""
MAX_USERNAME_KEY = 120
"""The longest key of a name in characters; no username has one as long, what is typed may."""


@dataclass(frozen=True)
class User:
    """A person with an account; `version` counts the changes of what others can see."""

    id: str
    username: str
    display_name: str
    bio: str
    role: str
    suspended: bool
    created_at: datetime
    version: int


@dataclass(frozen=True)
class Erasure:
    """An account that was erased, and who has yet to forget the person.

    `version` is that of the person's end: one more than the last one that others saw.
    """

    id: str  # the person's
    version: int
    requested_at: datetime
    waiting_for: frozenset[str]  # components
    finished_at: datetime | None


def begin_erasure(user: User, replica_holders: frozenset[str], now: datetime) -> Erasure:
    """Begin to erase a person whom these components keep copies of."""
    return Erasure(
        user.id, user.version + 1, now, replica_holders, None if replica_holders else now
    )


def confirm_erasure(erasure: Erasure, component: str, now: datetime) -> Erasure:
    """Note that a component forgot the person; the last one finishes the erasure.

    Who says so again, or never had to, changes nothing.
    """
    if component not in erasure.waiting_for:
        return erasure
    left = erasure.waiting_for - {component}
    return replace(erasure, waiting_for=left, finished_at=None if left else now)


def normalize_username(text: str) -> str:
    """Bring a username to the one form (NFKC) in which it is kept and shown."""
    return unicodedata.normalize("NFKC", text)


def username_key(username: str) -> str:
    """Give what two usernames share when people would take one for the other by case or form."""
    return unicodedata.normalize("NFKC", normalize_username(username).casefold())[:MAX_USERNAME_KEY]


def may_edit_profile(actor_id: str, user_id: str) -> bool:
    """Tell whether an actor may change a person's name and bio: only their own."""
    return actor_id == user_id


def may_moderate(actor: User) -> bool:
    """Tell whether an actor may give roles and suspend."""
    return actor.role == MODERATOR
