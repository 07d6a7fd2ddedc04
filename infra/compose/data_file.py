"""The services' data as a file, from outside of its container: `python -m infra.compose.data_file`.

`save` writes a copy as of one moment to the standard output, also while Dynoxide runs. `replace`
reads one from the standard input, and `remove` deletes the data; Dynoxide must not run. `receive`
puts a copy from the standard input beside the data, and `serve` runs a second Dynoxide on it, from
which one service's tables can be copied; `discard` deletes it.
"""

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from infra.compose.dynamodb import FOLDER, data_file, serve

SAVE, REPLACE, REMOVE = "save", "replace", "remove"
RECEIVE, SERVE, DISCARD = "receive", "serve", "discard"
# Like Dynoxide's own port, one that web pages can't reach.
SECOND_PORT = "6668"


def run(action: str, source: BinaryIO, target: BinaryIO, folder: Path = FOLDER) -> None:
    """Run an action on the stage's file."""
    file = data_file(folder)
    # In the volume: the container's other files are in memory.
    copy = file.with_suffix(".copy")
    if action == SAVE:
        _save(file, copy, target)
    elif action == REPLACE:
        _receive(source, copy)
        _remove(file)
        copy.replace(file)
    elif action == REMOVE:
        _remove(file)
    elif action == RECEIVE:
        _receive(source, copy)
    elif action == SERVE:
        serve(copy, SECOND_PORT)
    elif action == DISCARD:
        _remove(copy)


def _save(file: Path, copy: Path, target: BinaryIO) -> None:
    try:
        with closing(sqlite3.connect(file)) as read, closing(sqlite3.connect(copy)) as written:
            read.backup(written)
        with copy.open("rb") as made:
            shutil.copyfileobj(made, target)
    finally:
        _remove(copy)


def _receive(source: BinaryIO, copy: Path) -> None:
    _remove(copy)
    with copy.open("wb") as written:
        shutil.copyfileobj(source, written)


def _remove(file: Path) -> None:
    """Delete a database, with the files that SQLite keeps beside it."""
    for leftover in file.parent.glob(f"{file.name}*"):
        leftover.unlink()


if __name__ == "__main__":
    run(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
