"""A virtual environment that was copied, moved, interrupted or upgraded is noticed and rebuilt."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from infra.runner.config import ROOT
from infra.setup import __main__ as setup
from infra.setup.pip import pip_environment
from infra.tools.lock import EVERYTHING


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a virtual environment as the set-up does, but without pip, which takes long."""
    run = subprocess.run

    def without_pip(command: list[str], **options: object) -> object:
        more = ["--without-pip"] if command[1:3] == ["-m", "venv"] else []
        return run([*command, *more], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", without_pip)
    made = tmp_path / "checkout" / "venv"
    made.parent.mkdir()
    setup._create(made)
    (made / "run.stamp").touch()
    return made


def test_virtual_environment_where_it_was_made_is_kept(venv: Path) -> None:
    assert setup.find_problem(venv) == ""


def test_moved_virtual_environment_is_noticed(venv: Path) -> None:
    moved = venv.parent.rename(venv.parent.with_name("moved")) / "venv"
    assert setup.find_problem(moved) == f"it was made for {venv}"


def test_copied_virtual_environment_is_noticed(venv: Path) -> None:
    copied = venv.parent.with_name("copied")
    shutil.copytree(venv.parent, copied, symlinks=True)
    assert setup.find_problem(copied / "venv") == f"it was made for {venv}"
    assert setup.find_problem(venv) == ""


def test_virtual_environment_without_its_python_is_noticed(venv: Path) -> None:
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to("/nonexistent/python3.10")
    assert setup.find_problem(venv) == "its Python is gone"


def test_changed_python_is_noticed(venv: Path) -> None:
    python = venv / "bin" / "python"
    python.unlink()
    python.write_text("#!/bin/sh\necho Python 3.99.1\n")
    python.chmod(0o755)
    assert setup.find_problem(venv).endswith("and now has Python 3.99.1")


def test_interrupted_creation_is_noticed(venv: Path) -> None:
    (venv / setup.HOME).unlink()
    (venv / "run.stamp").unlink()
    assert setup.find_problem(venv) == "its creation was interrupted"


def test_virtual_environment_of_an_earlier_revision_is_kept(venv: Path) -> None:
    (venv / setup.HOME).unlink()
    (venv / "bin" / "pip3").touch()
    assert setup.find_problem(venv) == ""


def test_rebuild_is_announced_in_one_line(
    venv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = venv.parent.rename(venv.parent.with_name("moved")) / "venv"
    (moved / "leftover").touch()
    monkeypatch.setattr(setup, "_run", lambda *_: None)
    capsys.readouterr()
    setup.install("run", moved)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == f"Rebuilding {moved}: it was made for {venv}"
    assert second.startswith(f"Creating {moved} with Python")
    assert not (moved / "leftover").exists()
    assert setup.find_problem(moved) == ""


def plan(venv: Path) -> str:
    """Return what `make stop` would do."""
    done = subprocess.run(
        ["make", "--dry-run", "stop", f"VENV={venv}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_make_sets_up_again_what_was_moved(venv: Path) -> None:
    assert "infra.setup" not in plan(venv)
    moved = venv.parent.rename(venv.parent.with_name("moved")) / "venv"
    assert f"infra.setup run --venv {moved}" in plan(moved)


def test_make_sets_up_again_after_a_change_of_python(venv: Path) -> None:
    (venv / "bin" / "python").unlink()
    assert f"infra.setup run --venv {venv}" in plan(venv)


def test_packages_in_a_folder_that_is_not_ascii_are_found(venv: Path, tmp_path: Path) -> None:
    packages = [ROOT / folder for folder in EVERYTHING]
    folders = [sysconfig.get_path("purelib"), *map(str, packages), f"{tmp_path}/Bücher"]
    [site] = venv.glob("lib/python3*/site-packages")
    (site / "forum.pth").write_text("\n".join(folders), encoding="utf-8")
    done = subprocess.run(
        ["make", "stop", f"VENV={venv}"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "VAR_DIR": str(tmp_path / "var")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["The forum is not running."], done.stderr


def test_pip_installs_as_pinned_whatever_the_caller_has_set(tmp_path: Path) -> None:
    """PIP_USER=1 is an error in a virtual environment, and so is a `user = true` of a file."""
    settings = tmp_path / "pip.conf"
    settings.write_text("[install]\nuser = true\n")
    caller = os.environ | {
        "PIP_USER": "1",
        "PIP_TARGET": str(tmp_path / "elsewhere"),
        "PIP_PREFIX": str(tmp_path / "elsewhere"),
        "PIP_CONFIG_FILE": str(settings),
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "PIP_PROXY": "http://proxy.example",
        "PYTHONPATH": str(tmp_path),
        "HTTPS_PROXY": "http://proxy.example",
    }
    given = pip_environment(caller)
    kept = ("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_PROXY", "HTTPS_PROXY", "PATH")
    assert {name: given[name] for name in kept} == {name: caller[name] for name in kept}
    assert not {"PIP_TARGET", "PIP_PREFIX", "PYTHONPATH"} & given.keys()

    def install(environment: dict[str, str]) -> int:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "pip"]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode

    assert install(caller) != 0
    assert install(given) == 0
