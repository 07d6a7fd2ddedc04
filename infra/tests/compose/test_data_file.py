"""The services' data leaves and enters its volume as a whole."""

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from infra.compose import data_file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXTRACTED", "posts")
    return tmp_path


def write(file: Path, *values: int) -> sqlite3.Connection:
    """Write values as a process that goes on running, with a log beside the file."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS numbers (value)")
    connection.executemany("INSERT INTO numbers VALUES (?)", [(value,) for value in values])
    connection.commit()
    return connection


def read(file: Path) -> list[int]:
    with closing(sqlite3.connect(file)) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM numbers")]


def run(action: str, folder: Path, source: bytes = b"") -> bytes:
    target = io.BytesIO()
    data_file.run(action, io.BytesIO(source), target, folder)
    return target.getvalue()


def test_copy_of_a_running_database_is_complete(folder: Path, tmp_path: Path) -> None:
    with closing(write(folder / "posts.sqlite", 1, 2)):
        saved = run(data_file.SAVE, folder)
    copy = tmp_path / "saved"
    copy.write_bytes(saved)
    assert read(copy) == [1, 2]
    assert not list(folder.glob("posts.copy*"))


def test_replaced_database_has_nothing_of_the_former(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", 3).close()
    # As after a crash: its log is still there.
    former = write(folder / "posts.sqlite", 1, 2)
    assert (folder / "posts.sqlite-wal").exists()
    run(data_file.REPLACE, folder, (tmp_path / "other").read_bytes())
    assert read(folder / "posts.sqlite") == [3]
    former.close()


def test_received_copy_leaves_the_data_alone(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", 3).close()
    write(folder / "posts.sqlite", 1).close()
    run(data_file.RECEIVE, folder, (tmp_path / "other").read_bytes())
    assert (read(folder / "posts.sqlite"), read(folder / "posts.copy")) == ([1], [3])
    run(data_file.DISCARD, folder)
    assert not list(folder.glob("posts.copy*"))
    run(data_file.REMOVE, folder)
    assert not list(folder.glob("posts.sqlite*"))
