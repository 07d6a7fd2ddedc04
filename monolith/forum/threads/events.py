"""What components tell each other of threads, whoever keeps them."""

from typing import Annotated, Any

from pydantic import Field

from chassis.clock import format_timestamp
from chassis.messaging.events import EventData
from forum.event_fields import EntityId, Timestamp
from forum.threads.models import ThreadRow

CREATED = "thread.created"
UPDATED = "thread.updated"
DELETED = "thread.deleted"
ALL = (CREATED, UPDATED, DELETED)


def state(row: ThreadRow) -> dict[str, Any]:
    """Give what others may know of a thread; they count its posts themselves."""
    return {"title": row.title, "locked": row.locked} | deleted_state(row)


def deleted_state(row: ThreadRow) -> dict[str, Any]:
    """Give what others may know of a deleted thread."""
    return {"author_id": row.author_id, "created_at": format_timestamp(row.created_at)}


class DeletedThreadData(EventData):
    """A thread that was deleted."""

    author_id: EntityId
    created_at: Timestamp


class ThreadData(DeletedThreadData):
    """A thread."""

    title: Annotated[str, Field(min_length=1, max_length=120)]
    locked: bool
