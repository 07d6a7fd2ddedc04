"""Console output of a move: lines, and a progress bar for long phases."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tqdm import tqdm


class Console:
    """Writer of lines, each with the seconds since the start, and of one bar at a time."""

    def __init__(self, out: TextIO | None = None, *, bars: bool = False) -> None:
        """Create a console on `out`; `bars` shows bars even without a terminal."""
        self._out = out or sys.stdout
        self._hides_bars = False if bars else None
        self._began = time.monotonic()
        self._bar: tqdm[Any] | None = None
        self.count = 0
        """The position of the current or last bar."""

    def say(self, text: str) -> None:
        """Write a line."""
        seconds = time.monotonic() - self._began
        tqdm.write(f"{seconds:7.1f} s  {text}", file=self._out)
        self._out.flush()

    def phase(self, name: str, text: str) -> None:
        """Announce a phase."""
        self.say(f"[{name}] {text}")

    @contextmanager
    def bar(self, name: str, total: int) -> Iterator[None]:
        """Show a bar until the end of the block; `total` is an estimate."""
        began = time.monotonic()
        # On a terminal only; a log just gets the final line.
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
            self.count = 0
            yield
        self._bar = None
        seconds = time.monotonic() - began
        self.say(f"{name}: {self.count} in {seconds:.1f} s")

    def advance(self, count: int) -> None:
        """Advance the bar."""
        self.count += count
        if self._bar is not None:
            self._bar.update(count)
