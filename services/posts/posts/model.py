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
    """What other components may know of a post, as of one version of it.

    A deleted post keeps its place in the thread, without its text.
    """

    thread_id: str
    author_id: str
    body: str  # Markdown, as it was typed
    created_at: datetime
    edited_at: datetime | None
    deleted: bool


@dataclass(frozen=True, kw_only=True)
class Post(PostState):
    """A post as it is shown; `version` counts its changes."""

    id: str
    author_name: str
    html: str  # the body, safe to show
    version: int


@dataclass(frozen=True)
class Thread:
    """What is known here of a thread, as of one version of it."""

    id: str
    title: str
    locked: bool
    deleted: bool
    version: int


@dataclass(frozen=True)
class SessionClaims:
    """What a session token tells of its owner, as of version `ver` of the account."""

    name: str
    role: str
    suspended: bool
    ver: int


@dataclass(frozen=True)
class Actor:
    """A user who may write, as known now."""

    id: str
    display_name: str
    role: str


def page_length(sizes: Sequence[int]) -> int:
    """Return how many of the first posts fit on one page, one at least.

    A post's size is the number of characters of its Markdown and its HTML.
    """
    total = 0
    for number, size in enumerate(sizes):
        total += size
        if total > MAX_PAGE_SIZE and number:
            return number
    return len(sizes)


def may_edit(actor_id: str, post: Post) -> bool:
    """Return whether a user may rewrite a post: only its author may."""
    return actor_id == post.author_id


def may_delete(actor_id: str, role: str, post: Post) -> bool:
    """Return whether a user may delete a post: its author or a moderator may."""
    return role == MODERATOR or actor_id == post.author_id
