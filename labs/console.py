"""Output of the labs, as plain text."""

import sys
from typing import TextIO


class Console:
    """Writer of lines; a line is on the screen when the call returns."""

    def __init__(self, out: TextIO | None = None) -> None:
        """Create a console on `out`, by default the standard output."""
        self._out = out

    def say(self, text: str) -> None:
        """Write a text and a newline."""
        out = self._out or sys.stdout
        out.write(f"{text}\n")
        out.flush()
