"""A package from npm is used only if its hash is the pinned one."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from infra.setup import npm, validators
from infra.setup.npm import NpmError

MEMBER = "package/program"


def archive(member: str = MEMBER, content: bytes = b"a program") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        made.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def integrity(of: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(of).digest()).decode()


def fake_npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_package_with_the_pinned_hash_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made").write_bytes(archive())
    fake_npm(tmp_path, f'cp "{tmp_path}/made" "$5/made.tgz"', monkeypatch)
    fetched = npm.fetch_package("made@1", integrity(archive()))
    assert npm.read_members(fetched, MEMBER) == {MEMBER: b"a program"}


def test_package_with_another_hash_is_refused() -> None:
    with pytest.raises(NpmError, match=r"made@1 has a different hash"):
        npm.verify_integrity("made@1", archive(content=b"other"), integrity(archive()))


def test_package_without_the_member_is_refused() -> None:
    with pytest.raises(NpmError, match=f"holds no {MEMBER}"):
        npm.read_members(archive("package/other"), MEMBER)


def test_failure_of_npm_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path, "echo 'no such package' >&2; exit 1", monkeypatch)
    with pytest.raises(NpmError, match=r"could not fetch made@1:\nno such package"):
        npm.fetch_package("made@1", integrity(b""))


def locked(folder: Path) -> Path:
    project = folder / "project"
    project.mkdir()
    for name in ("package.json", "package-lock.json"):
        (project / name).write_text("{}")
    return project


def test_locked_packages_run_no_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'mkdir node_modules; echo "$@" > node_modules/asked; ls >> node_modules/asked'
    fake_npm(tmp_path, script, monkeypatch)
    made = tmp_path / "validators" / "made"
    npm.install_locked(locked(tmp_path), made)
    asked, *listed = (made / "node_modules" / "asked").read_text().splitlines()
    assert asked.split()[:2] == ["ci", "--ignore-scripts"]
    assert listed == ["node_modules", "package-lock.json", "package.json"]
    npm.install_locked(tmp_path / "project", made)  # another process was faster


def test_failed_installation_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_npm(tmp_path, "mkdir node_modules; echo 'no network' >&2; exit 1", monkeypatch)
    with pytest.raises(NpmError, match=r"could not install project:\nno network"):
        npm.install_locked(locked(tmp_path), tmp_path / "validators" / "made")
    assert not list((tmp_path / "validators").iterdir())


def test_validators_are_installed_once_per_lock_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_npm(tmp_path, f"mkdir node_modules; echo x >> {tmp_path}/runs", monkeypatch)
    monkeypatch.setattr(validators, "FOLDER", tmp_path / "validators")
    monkeypatch.setattr(validators, "LOCKED", project := locked(tmp_path))
    first = validators.ensure_installed()
    assert validators.ensure_installed() == first
    (project / "package-lock.json").write_text('{"newer": true}')
    assert validators.ensure_installed() != first
    assert (tmp_path / "runs").read_text() == "x\n" * 2
