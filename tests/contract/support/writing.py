"""Helpers for the setup of most tests."""

from collections.abc import Mapping
from typing import Any

from tests.contract.support.people import Person

NOWHERE = "01890000-0000-7000-8000-000000000000"
"""An id that nothing has."""

ODD_IDS = (NOWHERE, NOWHERE.upper(), "1", "x" * 64, "x" * 65, "nobody", "a.b", "%20", "ü", "...")
"""Invalid and unknown ids for paths."""

ODD_LINES = (
    "two\nlines", "a\x00b", "\x1b[31m", "\x7f", "\u0085", "\u2003", "a\u200bb", "\u202egnp.exe",
    "a\u2066b", "\ufeff", "\u3164", "\u0301", "a\u2028b", "a\u00adb", "\u2800", "a\u200e",
    "a\u206ab", "a\ufff9", "a\u034fb", "a\u200db", "a\ufe0f", "हि\u200d",
)  # fmt: skip
"""Invalid single-line texts: control and invisible characters, and texts without a letter."""


def open_thread(person: Person, title: str) -> dict[str, Any]:
    """Open a thread, without a first post."""
    thread: dict[str, Any] = person.client.post("/api/threads", {"title": title}).expect(201)
    return thread


def reply(person: Person, thread: Mapping[str, Any], body: str) -> dict[str, Any]:
    """Write a post in a thread."""
    new = {"thread_id": thread["id"], "body": body}
    post: dict[str, Any] = person.client.post("/api/posts", new).expect(201)
    return post
