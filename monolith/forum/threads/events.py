"""Events about threads."""

from typing import Any

from chassis import codec
from forum.threads.models import ThreadRow
from forum.threads.state import DeletedThreadState, ThreadState

CREATED = "thread.created"
UPDATED = "thread.updated"
DELETED = "thread.deleted"
ALL = (CREATED, UPDATED, DELETED)


def event_data(row: ThreadRow) -> dict[str, Any]:
    """Return the data of an event about a thread; consumers count its posts themselves."""
    kind = DeletedThreadState if row.deleted else ThreadState
    return codec.to_json(kind(**codec.attributes(row, kind)))
