"""What a mover tells whoever started it: lines, and a bar for what takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tqdm import tqdm


class Console:
    """Writes lines, each with the seconds since the beginning, and one bar at a time."""

    def __init__(self, out: TextIO | None = None, *, bars: bool = False) -> None:
        """Write to `out`; with `bars` there are bars even if this does not look like a terminal."""
        self._out = out or sys.stdout
        self._hides_bars = False if bars else None
        self._began = time.monotonic()
        self._bar: tqdm[Any] | None = None

    def say(self, text: str) -> None:
        """Write a line."""
        seconds = time.monotonic() - self._began
        tqdm.write(f"{seconds:7.1f} s  {text}", file=self._out)
        self._out.flush()

    def phase(self, name: str, text: str) -> None:
        """Say that a phase begins."""
        self.say(f"[{name}] {text}")

    @contextmanager
    def bar(self, name: str, total: int) -> Iterator[None]:
        """Show how far something is, until the block ends; `total` is a guess."""
        began = time.monotonic()
        # On a terminal only: a log is served better by the line that follows.
        bar: tqdm[Any] = tqdm(
            total=total,
            desc=f"{'':11}{name}",
            unit="",
            file=sys.stderr,
            leave=False,
            disable=self._hides_bars,
        )
        with bar:
            self._bar = bar
            self._count = 0
            yield
        self._bar = None
        seconds = time.monotonic() - began
        self.say(f"{name}: {self._count} in {seconds:.1f} s")

    def advance(self, count: int) -> None:
        """Say that the bar's thing is further by so many."""
        self._count += count
        if self._bar is not None:
            self._bar.update(count)
