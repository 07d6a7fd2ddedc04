"""`make run` used interactively: Ctrl-C in a terminal, and signals to make itself."""

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.runner.config import ROOT
from tests.support.harness import Stack, kill

# The environment that runs the tests is complete: make has nothing to install.
VENV = Path(sys.prefix)
MAKE = ("make", "-o", f"{VENV}/run.stamp", f"VENV={VENV}")
NOTHING: frozenset[str] = frozenset()
SMALL = {"WEB_CONCURRENCY": "1"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(NOTHING, tmp_path, SMALL, command=(*MAKE, "run"))
    yield made
    kill(made.processes())


def test_sigterm_to_make_stops_everything(stack: Stack) -> None:
    with stack:
        assert stack.stop(signal.SIGTERM) != 0
        assert "All processes have stopped." in stack.output_text()


def test_sigterm_to_the_whole_group_stops_everything(stack: Stack) -> None:
    with stack:
        assert stack.process is not None
        os.killpg(stack.process.pid, signal.SIGTERM)
        stack.process.wait(20)
        assert not stack.wait_until_gone()
        assert "All processes have stopped." in stack.output_text()


def test_killed_make_and_launcher_leave_nothing(stack: Stack) -> None:
    with stack:
        assert stack.process is not None
        os.killpg(stack.process.pid, signal.SIGKILL)
        stack.process.wait(20)
        assert not stack.wait_until_gone(20)


def test_ctrl_c_in_a_terminal_stops_everything(stack: Stack) -> None:
    shell, terminal = in_terminal(stack)
    try:
        os.write(terminal, b"\x03")
        output = read_until(terminal, "All processes have stopped.")
        assert output.count("Stopping ...") == 1
    finally:
        shell.wait(30)
        os.close(terminal)
    assert not stack.wait_until_gone()


def test_closing_the_terminal_stops_everything(stack: Stack) -> None:
    shell, terminal = in_terminal(stack)
    os.close(terminal)
    shell.wait(30)
    assert not stack.wait_until_gone(20)


# A session's first process that opens a terminal gets it for its own; a shell under nohup would
# ignore its end.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
terminal = os.open(sys.argv[1], os.O_RDWR)
for descriptor in range(3):
    os.dup2(terminal, descriptor)
os.execv("/bin/sh", ["sh", "-c", sys.argv[2]])
"""


def in_terminal(stack: Stack) -> tuple[subprocess.Popen[bytes], int]:
    """Run the forum from a shell in a terminal; return the shell and the terminal."""
    terminal, theirs = pty.openpty()
    script = f"{shlex.join(MAKE)} run; :"
    shell = subprocess.Popen(
        [sys.executable, "-c", SHELL, os.ttyname(theirs), script],
        cwd=ROOT,
        env=stack.environment,
        start_new_session=True,
    )
    read_until(terminal, "The forum is ready")
    os.close(theirs)
    return shell, terminal


def read_until(terminal: int, text: str, seconds: float = 60) -> str:
    """Read what a terminal shows until it shows this."""
    shown = ""
    deadline = time.monotonic() + seconds
    while text not in shown and time.monotonic() < deadline:
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:
            break
    assert text in shown, shown
    return shown


def test_help_names_every_target() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = (
        *("help", "setup", "setup-system", "run", "stop", "reset", "logs", "moderator", "replay"),
        *("test", "test-faults", "test-compose", "audit", "check", "fmt", "lock", "clean"),
    )
    for target in targets:
        assert f"  {target} " in shown


def read_variables() -> set[str]:
    """Return the variables that make and its commands read, as code and documentation have them."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = set(re.findall(r"\$\$\{([A-Z_]+)", makefile))
    found |= set(re.findall(r"\(filter on,\$\(([A-Z_]+)\)", makefile))
    [context] = re.findall(r"foreach name,(MOVING [A-Z_ ]+),", makefile)
    found |= {*context.split()}
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = contributing.partition("## Variables of `make run`")[2].partition("\n## ")[0]
    found |= set(re.findall(r"`([A-Z_]{4,})`", table)) - {"SIGN_IN_"}
    code = [*(ROOT / "infra" / "runner").glob("*.py"), ROOT / "bench" / "__main__.py"]
    for file in code:
        reads = r"environ(?:\.get\(|\[)\"([A-Z_]+)\""
        found |= set(re.findall(reads, file.read_text(encoding="utf-8")))
    return found - {"PYTEST_XDIST_WORKER"}


def test_help_names_every_variable() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"[A-Z][A-Z_]+", shown))
    variables = read_variables()
    assert len(variables) > 35
    assert not variables - named


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("extract",), "DOMAIN must be users, threads or posts, as in DOMAIN=posts."),
        (("reintegrate", "DOMAIN=x"), "DOMAIN must be users, threads or posts, not 'x'."),
        (
            ("replay", "SINCE=foo"),
            "SINCE: 'foo' is not a valid time. Set an age, such as 10m or 2h, or a time.",
        ),
        (("run", "DEMO=maybe"), "The forum did not start: DEMO must be on or off, not 'maybe'"),
    ],
)
def test_wrong_variable_is_named_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = subprocess.run(
        [*MAKE, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), "OPEN_PORTS": "on"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    lines = (done.stdout + done.stderr).splitlines()
    assert [line for line in lines if not line.startswith("make: ")] == [said]


@pytest.mark.parametrize("variable", ["DRY_RUN=1", "DRY_RUN=yes", "REPAIR=true"])
def test_unknown_value_of_a_switch_moves_nothing(tmp_path: Path, variable: str) -> None:
    done = subprocess.run(
        [*MAKE, "extract", "DOMAIN=posts", variable],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    name, _, value = variable.partition("=")
    assert f"{name} must be on or off, not '{value}'" in done.stderr


def test_old_python_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "run", f"VENV={tmp_path}/venv", f"PYTHON={old}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_moderator_needs_a_name() -> None:
    done = subprocess.run(
        [*MAKE, "moderator", "NAME="], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "make moderator NAME=<username>" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ((), "either QUEUE="),
        (("QUEUE=users", "SINCE=1h"), "either QUEUE="),
        (("SINCE=1h",), "is not running"),
    ],
)
def test_replay_without_valid_arguments_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], answer: str
) -> None:
    done = subprocess.run(
        [*MAKE, "replay", *arguments],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert answer in done.stderr
