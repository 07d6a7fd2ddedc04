"""Threads as data: the public view, and the state shared between components."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from chassis import codec
from forum.event_fields import EntityId, Timestamp
from forum.users.state import Author


@dataclass(frozen=True, kw_only=True)
class ThreadContent:
    """The content of a thread."""

    title: Annotated[str, Field(min_length=1, max_length=120)]
    created_at: Timestamp
    locked: bool


@dataclass(frozen=True, kw_only=True)
class ThreadState(ThreadContent):
    """The state of a thread that components share in events and records."""

    author_id: EntityId


@dataclass(frozen=True, kw_only=True)
class DeletedThreadState:
    """The state of a deleted thread that components share."""

    author_id: EntityId
    created_at: Timestamp


@dataclass(frozen=True, kw_only=True)
class Thread(ThreadContent):
    """The public view of a thread; `version` counts the changes by users."""

    id: str
    author: Author
    last_activity_at: datetime
    post_count: int
    version: int

    def public_view(self) -> dict[str, Any]:
        """Return the thread as JSON shows it, with the version."""
        return codec.to_json(self)
