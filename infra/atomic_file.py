"""Replacement of a file in one step: readers see the former text or the new one, whole."""

from pathlib import Path


def write_atomically(file: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a file beside the present one, and put it in its place.

    `mode` is that of a new file, less the umask.
    """
    partial = file.with_name(f"{file.name}.partial")
    # One that was left behind may have another mode.
    partial.unlink(missing_ok=True)
    partial.touch(mode=mode)
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)
