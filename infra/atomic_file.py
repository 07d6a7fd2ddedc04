"""Replacement of a file in one step: readers see the former text or the new one, whole."""

import os
from pathlib import Path


def write_atomically(file: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a file beside the present one, and put it in its place; both are on disk on return.

    `mode` is that of a new file, less the umask. Without the synchronization, a power loss can
    leave an empty file: a file system may store the new name before the text.
    """
    partial = file.with_name(f"{file.name}.partial")
    # One that was left behind may have another mode.
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(descriptor)
    partial.replace(file)
    synchronize_folder(file.parent)


def synchronize_folder(folder: Path) -> None:
    """Store on disk which files a folder has."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
