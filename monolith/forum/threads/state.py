"""Threads as data: what everybody may see, and what components tell each other."""

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
    """What components tell each other of a thread, in events and records."""

    author_id: EntityId


@dataclass(frozen=True, kw_only=True)
class DeletedThreadState:
    """What components tell each other of a deleted thread."""

    author_id: EntityId
    created_at: Timestamp


@dataclass(frozen=True, kw_only=True)
class Thread(ThreadContent):
    """A thread as everybody may see it; `version` counts the changes that users made to it."""

    id: str
    author: Author
    last_activity_at: datetime
    post_count: int
    version: int

    def public_view(self) -> dict[str, Any]:
        """Return the thread as JSON shows it, with the version."""
        return codec.to_json(self)
