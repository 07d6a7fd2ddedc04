"""Time and ids, passed in as dependencies so that tests can control them."""

from collections.abc import Callable
from datetime import UTC, datetime

import uuid_utils

Clock = Callable[[], datetime]
"""Return the current time as an aware UTC datetime, truncated to milliseconds."""

NewId = Callable[[], str]
"""Return a new id: a UUIDv7 in lower case, later ids sorting after earlier ones."""


def utc_now() -> datetime:
    """Return the current time in UTC, truncated to milliseconds as clients see it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def uuid7() -> str:
    """Return a new UUIDv7 (RFC 9562); UUIDs sort by their time of creation."""
    return str(uuid_utils.uuid7())


def format_timestamp(moment: datetime) -> str:
    """Format a time as RFC 3339 in UTC with milliseconds: `2026-01-31T12:00:00.000Z`."""
    # Eight times as fast as strftime, and a page of posts has forty.
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def parse_timestamp(text: str) -> datetime:
    """Parse a text from `format_timestamp`.

    Raises:
        ValueError: the text is not such a timestamp.
    """
    return datetime.fromisoformat(text)
