"""Transcripts of a test's requests and responses, comparable between stages."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.contract.support.placeholders import Placeholders

HEADERS = (
    "Content-Type",
    "ETag",
    "Location",
    "Allow",
    "Cache-Control",
    "WWW-Authenticate",
    "Set-Cookie",
    "Vary",
    "X-Content-Type-Options",
)
OVER_EVERYTHING = {"/api/users", "/api/threads", "/api/posts"}
LONGEST_SHOWN = 2_000
UNCOMPARED = "compared with nothing"


@dataclass
class Exchange:
    """One request and its response."""

    method: str
    target: str
    sent: str
    asked: Mapping[str, str]
    status: int
    headers: list[tuple[str, str]]
    body: Any


@dataclass
class Race:
    """Requests that ran at once: only how often each outcome came about can be compared."""

    outcomes: Counter[str] = field(default_factory=Counter)


class Transcript:
    """All exchanges of one test."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.made: set[str] = set()
        self._entries: list[Exchange | Race] = []
        self._aliases: dict[str, str] = {}
        self._lock = threading.Lock()
        self._race: Race | None = None
        self._paused = False

    def alias(self, value: str, name: str) -> None:
        """Replace a value that differs between runs by this name."""
        self._aliases[value] = f"<{name}>"

    def add(self, exchange: Exchange) -> None:
        """Add an exchange; inside a race only its outcome."""
        if isinstance(exchange.body, dict) and exchange.status == 201:
            self.made.add(str(exchange.body.get("id")))
        with self._lock:
            if self._paused:
                return
            if self._race is None:
                self._entries.append(exchange)
                return
            if exchange.status == 429:
                return  # tried again; how often differs between runs
            kind = exchange.body.get("type", "") if isinstance(exchange.body, dict) else ""
            self._race.outcomes[f"{exchange.status} {kind}".strip()] += 1

    def close(self) -> None:
        """Stop recording: later exchanges only tear the test down."""
        self._paused = True

    @contextmanager
    def race(self) -> Iterator[Counter[str]]:
        """Record the requests in the block as one race; yield its outcomes."""
        self._race = Race()
        self._entries.append(self._race)
        try:
            yield self._race.outcomes
        finally:
            self._race = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause recording, for exchanges that differ between runs, such as the number of pages."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def lines(self) -> list[str]:
        """Return the lines of the transcript."""
        scrub = Placeholders(self.mark, self._aliases)
        written = []
        for entry in self._entries:
            if isinstance(entry, Race):
                written.append(f"race: {sorted(entry.outcomes.items())}")
            else:
                written += self._write(entry, scrub)
        return written

    def _write(self, entry: Exchange, scrub: Placeholders) -> list[str]:
        asked = "".join(f" {name}: {value}" for name, value in sorted(entry.asked.items()))
        lines = [_cut(scrub(f"{entry.method} {entry.target}{asked} {entry.sent}".rstrip()))]
        for name, value in entry.headers:
            lines.append(scrub(f"  {name}: {value}"))
        body = self._own(entry)
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        return [lines[0], f"  {entry.status}", *lines[1:], _cut(scrub(f"  {text}"))]

    def _own(self, entry: Exchange) -> Any:
        """Remove items of other tests from a global list."""
        target = urlsplit(entry.target)
        if target.path not in OVER_EVERYTHING or "ids=" in target.query:
            return entry.body
        if not isinstance(entry.body, dict) or "items" not in entry.body:
            return entry.body
        items = [item for item in entry.body["items"] if item.get("id") in self.made]
        paging = {} if "q=" not in target.query else {"next": entry.body["next"]}
        return {"items": items, **paging}


def _cut(text: str) -> str:
    if len(text) <= LONGEST_SHOWN:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:LONGEST_SHOWN]}… ({len(text)} characters, SHA-256 {digest})"
