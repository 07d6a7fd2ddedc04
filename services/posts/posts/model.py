"""Posts and the rules about them; the standard library only."""

from dataclasses import dataclass
from datetime import datetime

MODERATOR = "moderator"


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


def may_edit(actor_id: str, post: Post) -> bool:
    """Tell whether an actor may rewrite a post: nobody puts words into another's mouth."""
    return actor_id == post.author.id


def may_delete(actor_id: str, role: str, post: Post) -> bool:
    """Tell whether an actor may delete a post: its author or a moderator."""
    return role == MODERATOR or actor_id == post.author.id
