"""The lock of a folder: at most one forum runs from it, and others can read its description."""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any


class AlreadyRunningError(Exception):
    """A forum already runs from this folder."""


class Lock:
    """A lock on a folder, released at any end of the processes that hold it.

    The parent watchdog inherits it, so that the folder is free only when everything has stopped.
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
        """Acquire the lock and write the holder's description; raise AlreadyRunningError."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(descriptor):
            os.close(descriptor)
            raise AlreadyRunningError
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({**description, "pid": os.getpid()}).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> dict[str, Any] | None:
        """Return the holder of the lock: `pid`, `extracted` and `ports`; None without one."""
        try:
            descriptor = os.open(self._file, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _described(os.read(descriptor, 10_000))
        else:
            return None
        finally:
            os.close(descriptor)

    def wait_until_free(self, seconds: float) -> bool:
        """Wait up to some seconds until the folder is free; return whether it is."""
        deadline = time.monotonic() + seconds
        while self.holder() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _described(written: bytes) -> dict[str, Any]:
    """Return the description; empty while it is being written, or if it could not be."""
    try:
        return dict(json.loads(written))
    except (ValueError, TypeError):
        return {}


def _locked(descriptor: int) -> bool:
    for _ in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Perhaps only another process that checks the holder.
            time.sleep(0.02)
        else:
            return True
    return False
