"""Factory of events that fit the schemas of their owners."""

from datetime import datetime, timedelta
from typing import Any

from chassis.clock import format_timestamp, utc_now, uuid7
from chassis.messaging.events import Event
from tests.support import schemas
from tests.support.people import Person


def user_event(
    person: Person,
    version: int,
    kind: str = "user.updated",
    *,
    name: str = "",
    role: str = "member",
    suspended: bool = False,
    valid_from: int = 0,
) -> Event:
    """Build an event of a user, as of one version."""
    data = {
        "username": person.username,
        "display_name": name or person.name,
        "bio": "",
        "role": role,
        "suspended": suspended,
        "created_at": format_timestamp(utc_now() - timedelta(days=1)),
        "sessions_valid_from": valid_from,
    }
    return _event(kind, "/users", person.id, version, {} if kind == "user.erased" else data)


def thread_event(
    thread_id: str,
    version: int = 1,
    kind: str = "",
    *,
    title: str = "A thread",
    locked: bool = False,
) -> Event:
    """Build an event of a thread, as of one version: its creation, or by default a change."""
    kind = kind or ("thread.updated" if version > 1 else "thread.created")
    data: dict[str, Any] = {"author_id": uuid7(), "created_at": format_timestamp(utc_now())}
    if kind != "thread.deleted":
        data |= {"title": title, "locked": locked}
    return _event(kind, "/threads", thread_id, version, data)


def post_event(
    thread_id: str,
    kind: str = "post.created",
    *,
    post_id: str = "",
    version: int = 1,
    created_at: datetime | None = None,
) -> Event:
    """Build an event of a post, as of one version."""
    created_at, deleted = created_at or utc_now(), kind == "post.deleted"
    data = {
        "thread_id": thread_id,
        "author_id": uuid7(),
        "body": "" if deleted else f"Version {version}",
        "created_at": format_timestamp(created_at),
        "edited_at": format_timestamp(created_at) if kind == "post.updated" else None,
        "deleted": deleted,
    }
    return _event(kind, "/posts", post_id or uuid7(), version, data)


def _event(kind: str, source: str, subject: str, version: int, data: dict[str, Any]) -> Event:
    event = Event(uuid7(), kind, source, subject, version, utc_now(), data)
    schemas.validate(event)
    return event
