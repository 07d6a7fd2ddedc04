"""Markers of changes without an event, such as a new password hash.

An extraction reads them, so that it copies such changes too. They expire after a week.
"""

from datetime import datetime

from chassis.clock import format_timestamp
from chassis.dynamodb.database import Database, Item
from chassis.messaging.outbox import RETENTION

_PREFIX = "touched-"


def change_marker(thing: str, now: datetime) -> Item:
    """Build the item of an ownership table that marks a thing, given by its id, as changed."""
    expires = int((now + RETENTION).timestamp())
    return {"id": f"{_PREFIX}{thing}", "touched_at": format_timestamp(now), "expires": expires}


def changed_since(database: Database, table: str, since: datetime) -> list[tuple[str, str]]:
    """Return the changes marked since then: the marker's id and the thing's id."""
    found, after = list[tuple[str, str]](), None
    while True:
        items, after = database.scan(table, after)
        recent = (item for item in items if item.get("touched_at", "") >= format_timestamp(since))
        found += [
            (item["id"] + item["touched_at"], item["id"].removeprefix(_PREFIX)) for item in recent
        ]
        if after is None:
            return found
