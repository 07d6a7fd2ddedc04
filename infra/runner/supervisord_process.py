"""supervisord, with an output that may fail: `python -m infra.runner.supervisord_process`."""

import contextlib
import io
import sys
from typing import TextIO

from supervisor import supervisord


class _Output(io.TextIOBase):
    """A text stream that drops what can't be written.

    supervisord reports a failed log there, and would end if the report failed as well, as on a
    full disk.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
        return len(text)

    def fileno(self) -> int:
        return self._stream.fileno()


if __name__ == "__main__":
    sys.stdout, sys.stderr = _Output(sys.stdout), _Output(sys.stderr)
    supervisord.main()
