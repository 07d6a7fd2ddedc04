"""Posts as data: the public view, and the state shared between components."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from chassis import codec
from forum.event_fields import EntityId, Timestamp
from forum.users.state import Author


@dataclass(frozen=True, kw_only=True)
class PostContent:
    """The content of a post; a deleted post remains in the thread as a placeholder without text."""

    thread_id: EntityId
    body: Annotated[str, Field(max_length=16_000)]
    created_at: Timestamp
    edited_at: Timestamp | None
    deleted: bool


@dataclass(frozen=True, kw_only=True)
class PostState(PostContent):
    """The state of a post that components share in events and records."""

    author_id: EntityId


@dataclass(frozen=True, kw_only=True)
class Post(PostContent):
    """The public view of a post; `version` counts its changes."""

    id: str
    author: Author
    html: str
    version: int

    def public_view(self) -> dict[str, Any]:
        """Return the post as JSON shows it, with the version."""
        return codec.to_json(self)
