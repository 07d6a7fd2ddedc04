"""Posts and the rules about them; the standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

MODERATOR = "moderator"
FORMER_MEMBER = "former member"
"""Shown in place of an author whose account was erased, or is not known yet."""
MAX_PAGE_SIZE = 512 * 1024
"""Characters of Markdown and HTML on a page of posts, which otherwise ends early."""


@dataclass(frozen=True, kw_only=True)
class PostState:
    """The public state of a post, as of one version.

    A deleted post remains in the thread as a placeholder without text.
    """

    thread_id: str
    author_id: str
    body: str  # Markdown source
    created_at: datetime
    edited_at: datetime | None
    deleted: bool


@dataclass(frozen=True, kw_only=True)
class Post(PostState):
    """A post with its author's name and HTML; `version` counts its changes."""

    id: str
    author_name: str
    html: str  # sanitized HTML of the body
    version: int


@dataclass(frozen=True)
class Thread:
    """The replicated state of a thread, as of one version, and the time of its newest post."""

    id: str
    title: str
    locked: bool
    deleted: bool
    version: int
    newest_post_at: datetime | None = None


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


def page_length(sizes: Sequence[int]) -> int:
    """Return the number of leading posts that fit on one page, at least one.

    A post's size is the number of characters of its Markdown and its HTML.
    """
    total = 0
    for number, size in enumerate(sizes):
        total += size
        if total > MAX_PAGE_SIZE and number:
            return number
    return len(sizes)


def may_edit(actor_id: str, post: Post) -> bool:
    """Return whether a user may edit a post: only its author may."""
    return actor_id == post.author_id


def may_delete(actor_id: str, role: str, post: Post) -> bool:
    """Return whether a user may delete a post: its author or a moderator may."""
    return role == MODERATOR or actor_id == post.author_id
