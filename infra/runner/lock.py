"""At most one forum runs from a folder; whoever asks can read which."""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any


class AlreadyRunningError(Exception):
    """A forum already runs from this folder."""


class Lock:
    """A lock on a folder that ends with the processes that hold it, however they end.

    The lifeline inherits it, so that the folder is free only when everything has stopped.
    """

    def __init__(self, var: Path) -> None:
        self._file = var / "running.json"
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file, for a child to inherit."""
        assert self._descriptor is not None  # noqa: S101
        return self._descriptor

    def take(self, description: dict[str, Any]) -> None:
        """Take the lock and write down who holds it; raise TakenError."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(descriptor):
            os.close(descriptor)
            raise AlreadyRunningError
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({**description, "pid": os.getpid()}).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the folder."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> dict[str, Any] | None:
        """Tell who holds the lock: `pid`, `extracted` and `ports`; None if nobody does."""
        try:
            descriptor = os.open(self._file, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            written = os.read(descriptor, 10_000)
            return dict(json.loads(written)) if written else {}
        else:
            return None
        finally:
            os.close(descriptor)

    def wait_until_free(self, seconds: float) -> bool:
        """Return whether the folder is free, at the latest after that long."""
        deadline = time.monotonic() + seconds
        while self.holder() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _locked(descriptor: int) -> bool:
    for _ in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Perhaps only somebody who looks who holds it.
            time.sleep(0.02)
        else:
            return True
    return False
