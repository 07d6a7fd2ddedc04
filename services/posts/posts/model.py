"""Posts and the rules about them; the standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

MODERATOR = "moderator"
FORMER_MEMBER = "former member"
"""Shown in place of somebody whose account was erased, or who is not known yet."""
MAX_PAGE_SIZE = 512 * 1024
"""So many characters of Markdown and HTML a page of posts may have; it ends early otherwise."""


@dataclass(frozen=True)
class Author:
    """Who wrote a post, by the name that is shown."""

    id: str
    display_name: str


@dataclass(frozen=True)
class Post:
    """What somebody wrote in a thread; `version` counts its changes.

    A deleted post keeps its place in the thread, without its text.
    """

    id: str
    thread_id: str
    author: Author
    body: str  # Markdown, as it was typed
    html: str  # the same, safe to show
    created_at: datetime
    edited_at: datetime | None
    deleted: bool
    version: int


@dataclass(frozen=True)
class Thread:
    """What is known here of a thread, as of a version of it."""

    id: str
    title: str
    locked: bool
    deleted: bool
    version: int


def page_length(sizes: Sequence[int]) -> int:
    """Tell how many posts from the first on fit on one page: always one, and no huge pages.

    A post's size is the number of characters of its Markdown and its HTML.
    """
    total = 0
    for number, size in enumerate(sizes):
        total += size
        if total > MAX_PAGE_SIZE and number:
            return number
    return len(sizes)


def may_edit(actor_id: str, post: Post) -> bool:
    """Tell whether an actor may rewrite a post: nobody puts words into another's mouth."""
    return actor_id == post.author.id


def may_delete(actor_id: str, role: str, post: Post) -> bool:
    """Tell whether an actor may delete a post: its author or a moderator."""
    return role == MODERATOR or actor_id == post.author.id
