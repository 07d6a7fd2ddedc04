"""Backups and restores that can't be are refused, with the reason, and change nothing."""

import json
from pathlib import Path

import pytest

from infra.runner.lock import Lock
from recovery.__main__ import main
from recovery.backup import MANIFEST


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    monkeypatch.setenv("OPEN_PORTS", "1")
    # No forum in containers has this name, whatever runs on this machine.
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "forum-test-of-nobody")
    monkeypatch.delenv("PLACE", raising=False)
    return tmp_path


def make_backup(var: Path, **manifest: object) -> str:
    folder = var / "backups" / "monolith"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps({"data_stage": [], **manifest}), encoding="utf-8")
    return str(folder)


def test_forum_without_data_is_not_backed_up(var: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup"]) == 1
    assert f"There is no data in {var}" in capsys.readouterr().out
    assert not (var / "backups").exists()


def test_containers_that_do_not_run_are_not_backed_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLACE", "compose")
    assert main(["backup"]) == 1
    assert "No forum is running in containers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "reason"),
    [("ecs", "PLACE must be local or compose."), ("aws", "not 'aws'.")],
)
def test_other_places_are_not_backed_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str, reason: str
) -> None:
    monkeypatch.setenv("PLACE", place)
    assert main(["backup"]) == 1
    assert reason in capsys.readouterr().out


def test_incomplete_backup_is_not_restored(var: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", str(var)]) == 1
    assert f"There is no complete backup in {var}" in capsys.readouterr().out


def test_backup_of_other_containers_is_not_restored(
    var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_backup(var, deployment="compose", data_stage=["posts", "users"])
    assert main(["restore", folder]) == 1
    assert "`EXTRACTED=users,posts docker compose up`" in capsys.readouterr().out


@pytest.mark.parametrize("manifest", [{"deployment": "local"}, {}], ids=["local", "first revision"])
def test_running_forum_is_not_restored(
    var: Path, manifest: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_backup(var, **manifest)
    lock = Lock(var)
    lock.take({"extracted": "", "ports": {}})
    assert main(["restore", folder]) == 1
    lock.release()
    assert "stop it with `make stop`" in capsys.readouterr().out
