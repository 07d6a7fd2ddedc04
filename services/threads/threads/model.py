"""Threads and the rules about them; the standard library only."""

from dataclasses import dataclass
from datetime import datetime

MODERATOR = "moderator"
FORMER_MEMBER = "former member"
"""Shown in place of an author whose account was erased, or is not known yet."""


@dataclass(frozen=True, kw_only=True)
class ThreadState:
    """The public state of a thread, as of one version."""

    title: str
    author_id: str
    created_at: datetime
    locked: bool


@dataclass(frozen=True, kw_only=True)
class Thread(ThreadState):
    """A thread with its author's name and counters; `version` counts the changes by users."""

    id: str
    author_name: str
    last_activity_at: datetime
    post_count: int
    version: int


@dataclass(frozen=True)
class SessionClaims:
    """The claims of a session token about its owner, as of version `ver` of the account."""

    name: str
    role: str
    suspended: bool
    ver: int
    sessions_valid_from: int = 0


@dataclass(frozen=True)
class Actor:
    """A user who may write, according to the newest known version."""

    id: str
    display_name: str
    role: str


def may_rename(actor_id: str, actor_role: str, thread: Thread) -> bool:
    """Return whether a user may change the title: the author or a moderator may."""
    return actor_role == MODERATOR or actor_id == thread.author_id


def may_lock(actor_role: str) -> bool:
    """Return whether a user may lock and unlock: only a moderator may."""
    return actor_role == MODERATOR


def may_delete(actor_id: str, actor_role: str, thread: Thread) -> bool:
    """Return whether a user may delete: a moderator, or the author while alone in the thread."""
    return actor_role == MODERATOR or actor_id == thread.author_id


def must_be_sole_author(actor_role: str) -> bool:
    """Return whether a user may delete a thread only while its author is alone in it."""
    return actor_role != MODERATOR
