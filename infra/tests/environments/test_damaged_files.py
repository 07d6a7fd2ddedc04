"""Files cut short by a power loss are remade or named; what must last is on disk."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.reporting import report
from chassis import codec
from chassis.auth.tokens import Issuer, Verifier
from chassis.clock import utc_now
from infra import dynoxide, session_keys
from infra.atomic_file import write_atomically
from infra.compose import secrets_setup
from infra.current_stage import DamagedStageError, read_current_stage
from infra.runner.config import SQLITE_FILE, RunConfig, SettingsError, read_config
from infra.runner.lock import Lock
from recovery.backup import MANIFEST, RestoreError, read_manifest
from users.model import SessionClaims

DAMAGE = (
    "",
    "{",
    "[]",
    "null",
    '{"extracted": ["users"]}',
    '{"extracted": 1, "moving": []}',
    "\0" * 40,
)


def local(tmp_path: Path) -> RunConfig:
    return read_config({"EXTRACTED": "", "VAR_DIR": str(tmp_path)})


def damage_stage(tmp_path: Path, text: str) -> RunConfig:
    config = local(tmp_path)
    config.folder.mkdir(parents=True)
    config.stage_file.write_text(text)
    return config


@pytest.mark.parametrize("text", [*DAMAGE, '{"extracted": ["cats"], "moving": []}'])
def test_damaged_stage_is_restored_from_the_database(tmp_path: Path, text: str) -> None:
    config = damage_stage(tmp_path, text)
    rows = [("users", "users", "settled"), ("posts", "monolith", "moving")]
    with closing(sqlite3.connect(config.folder / SQLITE_FILE)) as database:
        database.execute("CREATE TABLE domains (domain, owner, state)")
        database.executemany("INSERT INTO domains VALUES (?, ?, ?)", rows)
        database.commit()
    restored = local(tmp_path)
    assert restored.extracted == {"users"}
    assert restored.moving == {"posts"}
    assert restored.data_stage == frozenset()
    current = read_current_stage(config.stage_file)
    assert current is not None
    assert current.extracted == {"users"}
    assert current.moving == {"posts"}


@pytest.mark.parametrize("text", DAMAGE)
def test_damaged_stage_without_a_database_is_named(tmp_path: Path, text: str) -> None:
    config = damage_stage(tmp_path, text)
    with pytest.raises(SettingsError, match="is damaged") as refused:
        local(tmp_path)
    assert str(config.stage_file) in str(refused.value)
    with pytest.raises(DamagedStageError, match=str(config.stage_file)):
        read_current_stage(config.stage_file)


@pytest.mark.parametrize("text", ["", "half", "\0" * 40])
@pytest.mark.parametrize("name", [session_keys.SECRET, session_keys.PRIVATE, session_keys.PUBLIC])
def test_damaged_key_is_made_again(tmp_path: Path, name: str, text: str) -> None:
    assert session_keys.ensure_keys(tmp_path) == []
    keys = {file.name: file.read_text() for file in tmp_path.iterdir()}
    (tmp_path / name).write_text(text)
    if name == session_keys.SECRET and len(text) > 32:
        (tmp_path / name).write_text(text[:10])
    assert session_keys.ensure_keys(tmp_path) == [name]
    now = {file.name: file.read_text() for file in tmp_path.iterdir()}
    # The public keys follow from the private one, so that sessions stay valid.
    changed = {session_keys.SECRET: 1, session_keys.PRIVATE: 2, session_keys.PUBLIC: 0}[name]
    assert sum(now[each] != keys[each] for each in keys) == changed
    claims = codec.to_json(SessionClaims("ada", "Ada", "member", suspended=False, ver=1))
    token, _ = Issuer(now[session_keys.PRIVATE]).issue("ada", "session", claims, utc_now())
    assert Verifier(now[session_keys.PUBLIC], SessionClaims).verify(token).subject == "ada"


def test_lost_database_password_is_named(tmp_path: Path) -> None:
    file = tmp_path / "database_password"
    assert secrets_setup._ensure_password(file)
    assert len(file.read_text()) > 32
    file.write_text("")
    assert not secrets_setup._ensure_password(file)


@pytest.mark.parametrize("written", [b"", b"{", b"\0\0", b"[1]"])
def test_lock_without_a_whole_description_is_held(tmp_path: Path, written: bytes) -> None:
    lock = Lock(tmp_path)
    lock.take({"extracted": ""})
    os.ftruncate(lock.descriptor, 0)
    os.pwrite(lock.descriptor, written, 0)
    assert Lock(tmp_path).holder() == {}
    lock.release()
    assert Lock(tmp_path).holder() is None


@pytest.mark.parametrize("text", ["", "{", "{}", "[]"])
def test_backup_with_a_damaged_manifest_is_not_complete(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(RestoreError, match="no complete backup"):
        read_manifest(tmp_path)


def test_results_of_the_bench_that_were_cut_short_count_as_none(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"loads": [')
    assert report.read(tmp_path, ["loads"])["loads"] == []


def test_empty_program_is_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[Path] = []
    monkeypatch.setattr(dynoxide, "BIN", tmp_path)
    monkeypatch.setattr(dynoxide, "_install", lambda _, binary: installed.append(binary))
    binary = dynoxide.binary_path({})
    binary.touch()
    dynoxide.ensure_installed({})
    assert installed == [binary]
    binary.write_text("program")
    dynoxide.ensure_installed({})
    assert installed == [binary]


def test_replaced_file_is_on_disk_before_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stage.json"
    synchronized: list[tuple[str, str]] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        names = sorted(one.name for one in path.iterdir()) if path.is_dir() else []
        text = ",".join(names) or path.read_text()
        synchronized.append((path.name, text))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_atomically(file, json.dumps({"a": 1}), mode=0o600)
    assert synchronized == [("stage.json.partial", '{"a": 1}'), (tmp_path.name, "stage.json")]
    assert file.stat().st_mode & 0o777 == 0o600
