"""Users and the rules about them; the standard library only."""

import unicodedata
from dataclasses import dataclass, fields, replace
from datetime import datetime

MEMBER = "member"
MODERATOR = "moderator"
FORMER_MEMBER = "former member"
"""Shown in place of a user whose account was erased."""
MAX_USERNAME_KEY = 120
"""Maximum length of a key in characters; that of a valid username is shorter."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The fields of an account that its owner may change."""

    display_name: str
    bio: str = ""


@dataclass(frozen=True, kw_only=True)
class UserState(Profile):
    """The public state of a user, as of one version of the account."""

    username: str
    role: str
    suspended: bool
    created_at: datetime
    sessions_valid_from: int = 0
    """Version of the account; sessions that were opened at an earlier one have ended."""


@dataclass(frozen=True, kw_only=True)
class User(UserState):
    """A user; `version` counts the changes of the public state."""

    id: str
    version: int


@dataclass(frozen=True)
class SessionClaims:
    """The claims of a session token about its owner, as of version `ver` of the account."""

    username: str
    name: str
    role: str
    suspended: bool
    ver: int
    sessions_valid_from: int = 0


@dataclass(frozen=True)
class Erasure:
    """The erasure of an account, and the components that have yet to confirm it.

    `version` is one more than the last version of the account.
    """

    id: str  # of the user
    version: int
    requested_at: datetime
    waiting_for: frozenset[str]  # components
    finished_at: datetime | None


def end_sessions(user: User) -> User:
    """Begin a new version of an account, at which all sessions so far have ended."""
    version = user.version + 1
    return replace(user, version=version, sessions_valid_from=version)


def begin_erasure(user: User, replica_holders: frozenset[str], now: datetime) -> Erasure:
    """Begin the erasure of a user; these components hold replicas of them."""
    return Erasure(
        user.id, user.version + 1, now, replica_holders, None if replica_holders else now
    )


def confirm_erasure(erasure: Erasure, component: str, now: datetime) -> Erasure:
    """Record that a component forgot the user; the last one finishes the erasure.

    A repeated or unexpected confirmation changes nothing.
    """
    if component not in erasure.waiting_for:
        return erasure
    left = erasure.waiting_for - {component}
    return replace(erasure, waiting_for=left, finished_at=None if left else now)


def normalize_username(text: str) -> str:
    """Return the normalized form (NFKC) in which a username is stored and shown."""
    return unicodedata.normalize("NFKC", text)


def username_key(username: str) -> str:
    """Return the key that two usernames share when they differ only in case or form."""
    return unicodedata.normalize("NFKC", normalize_username(username).casefold())[:MAX_USERNAME_KEY]


def newcomer(key: str) -> str:
    """Return the owner of the idempotency keys of those who register with a username's key.

    Nobody is signed in yet: two people who choose the same idempotency key must not collide.
    """
    return f"newcomer {key}"


def may_edit_profile(actor_id: str, user_id: str) -> bool:
    """Return whether a user may change a profile: only their own."""
    return actor_id == user_id


def may_moderate(actor: User) -> bool:
    """Return whether a user may give roles and suspend."""
    return actor.role == MODERATOR


def is_profile_field(name: str) -> bool:
    """Return whether a field belongs to the profile, which a user changes themselves."""
    return any(field.name == name for field in fields(Profile))
