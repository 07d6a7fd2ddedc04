"""What components tell each other of threads, whoever keeps them."""

from typing import Annotated, Any

from pydantic import Field

from chassis.clock import stamp
from chassis.messaging.events import Body
from forum.event_fields import AnId, When
from forum.threads.models import ThreadRow

CREATED = "thread.created"
UPDATED = "thread.updated"
DELETED = "thread.deleted"
ALL = (CREATED, UPDATED, DELETED)


def state(row: ThreadRow) -> dict[str, Any]:
    """Give what others may know of a thread; they count its posts themselves."""
    return {"title": row.title, "locked": row.locked} | remains(row)


def remains(row: ThreadRow) -> dict[str, Any]:
    """Give what others may know of a deleted thread."""
    return {"author_id": row.author_id, "created_at": stamp(row.created_at)}


class RemainsBody(Body):
    """A thread that was deleted."""

    author_id: AnId
    created_at: When


class ThreadBody(RemainsBody):
    """A thread."""

    title: Annotated[str, Field(min_length=1, max_length=120)]
    locked: bool
