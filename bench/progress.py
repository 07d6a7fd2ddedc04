"""Progress output on one line."""

import sys
import time

_WIDTH = 30


class Progress:
    """A progress bar on a terminal; otherwise a final line."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, max(1, total), 0
        self._began = self._shown = time.monotonic()

    def more(self, count: int) -> None:
        """Advance the bar."""
        self._done += count
        now = time.monotonic()
        if sys.stdout.isatty() and now > self._shown + 0.1:
            self._shown = now
            part = min(1.0, self._done / self._total)
            bar = "#" * round(part * _WIDTH)
            left = (now - self._began) * (1 - part) / max(part, 0.001)
            print(f"\r\033[K{self._what} [{bar:<{_WIDTH}}] {left:4.0f} s left", end="", flush=True)

    def end(self) -> None:
        """Print the end and the elapsed time."""
        clear = "\r\033[K" if sys.stdout.isatty() else ""
        print(f"{clear}{self._what}: {time.monotonic() - self._began:.1f} s", flush=True)
