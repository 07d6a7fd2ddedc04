"""The parent watchdog: stops supervisord, and so all processes, if the launcher is killed.

Linux can send a signal at a parent's death, macOS can't; this works on both. A small process reads
from a pipe whose other end only the launcher holds: first supervisord's process id, then `done`
once the launcher has stopped everything itself. An end of input before that means that the launcher
was killed.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

_TRIES, _PAUSE = 400, 0.05  # 20 seconds, longer than any graceful stop.


class ParentWatchdog:
    """The launcher's side. The process inherits `lock`, which so outlives a killed launcher."""

    def __init__(self, lock: int) -> None:
        command = [sys.executable, "-I", "-S", str(Path(__file__).absolute())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock],
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """Send the process id of the supervisord to stop."""
        self._write(f"{pid}\n")

    def __enter__(self) -> "ParentWatchdog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._write("done\n")
        self._process.communicate()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            return


def main() -> None:
    """Wait until the launcher ends."""
    pid = int(sys.stdin.readline() or 0)
    if not pid or sys.stdin.readline():
        return
    for _ in range(_TRIES):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
