"""Set-up prints a line a step, and pip's whole output when a step fails."""

from pathlib import Path

import pytest

from infra.setup import __main__ as setup
from infra.setup import chromium, platforms, prerequisites
from infra.setup.platforms import Platform


def virtual_environment(folder: Path, script: str) -> Path:
    """Make a folder that looks like a virtual environment, with a Python that runs a script."""
    venv = folder / "venv"
    python = venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    (venv / "run.stamp").touch()
    (python.parent / "pip3").touch()
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return venv


def test_success_prints_one_line_a_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    venv = virtual_environment(tmp_path, 'echo "$@"; seq 1000')
    assert setup.main(["run", "--venv", str(venv)]) == 0
    printed = capsys.readouterr()
    log = venv / "install-run.log"
    assert printed.out.splitlines() == [
        f"Installing {setup.count_packages('run')} packages; log: {log}",
        "Installing the forum's 5 packages",
    ]
    assert not printed.err
    assert "--require-hashes" in log.read_text()


def test_failure_prints_the_whole_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    venv = virtual_environment(tmp_path, "seq 1000; echo no network >&2; exit 1")
    assert setup.main(["run", "--venv", str(venv)]) == 1
    printed = capsys.readouterr()
    assert [*map(str, range(1, 1001)), "no network"] == printed.err.splitlines()[:1001]
    assert "The installation failed" in printed.err
    assert "the forum's" not in printed.out


def test_log_holds_the_last_attempt_only(tmp_path: Path) -> None:
    venv = virtual_environment(tmp_path, "echo attempt")
    for _ in range(2):
        assert setup.main(["dev", "--venv", str(venv)]) == 0
    assert (venv / "install-dev.log").read_text() == "attempt\n"


def test_unsupported_platform_stops_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platforms, "this_platform", lambda: Platform("linux", "x64"))
    assert setup.main(["run", "--venv", str(tmp_path / "venv")]) == 1
    assert platforms.SUPPORTED in capsys.readouterr().err
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(("extracted", "code"), [("", 0), ("users", 1)])
def test_monolith_alone_needs_no_dynoxide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extracted: str, code: int
) -> None:
    venv = virtual_environment(tmp_path, "")
    monkeypatch.setattr(platforms, "this_platform", lambda: Platform("linux", "arm64", (2, 36)))
    monkeypatch.setenv("EXTRACTED", extracted)
    monkeypatch.delenv("DYNOXIDE", raising=False)
    assert setup.main(["run", "--services", "--venv", str(venv)]) == code


def test_failed_virtual_environment_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = virtual_environment(tmp_path, "echo no ensurepip; exit 1") / "bin" / "python"
    monkeypatch.setattr("sys.executable", str(python))
    assert setup.main(["run", "--venv", str(tmp_path / "made")]) == 1
    assert "no ensurepip" in (said := capsys.readouterr().err)
    assert "apt install python3-venv" in said
    assert not (tmp_path / "made").exists()


def test_packages_for_other_systems_are_not_counted() -> None:
    lock = (setup.LOCKS / "run.txt").read_text()
    assert (
        setup.count_packages("run") == lock.count("==") - lock.count("sys_platform == 'win32'") * 2
    )


def test_missing_programs_are_named_in_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise chromium.ChromiumError("Browser tests need Chromium")

    monkeypatch.setattr(chromium, "ensure_installed", fail)
    monkeypatch.setenv("PATH", "")
    browser, load = prerequisites.find_missing()
    assert "need Chromium" in browser
    assert "apt install wrk" in load
