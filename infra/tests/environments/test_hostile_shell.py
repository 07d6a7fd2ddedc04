"""Every command of make for a local forum, from a shell that is set up for everything else.

All variables of `trap.py` are set, Python's and pip's point elsewhere, the locale is C and the
folder is not ASCII, and at most 256 files may be open.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.runner.config import ROOT, with_current_stage
from infra.tests.environments.trap import Server, foreign_variables, serve
from tests.support.harness import Stack, kill

VENV = Path(sys.prefix)
LIMITED = ("sh", "-c", 'ulimit -n 256; exec "$@"', "sh")
MAKE = (*LIMITED, "make", "-o", f"{VENV}/run.stamp", f"VENV={VENV}")


@pytest.fixture(scope="module")
def trap() -> Iterator[Server]:
    with serve(400) as server:
        yield server


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, trap: Server) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("shell")
    for package in ("infra", "extraction", "chassis", "forum"):
        (folder / "code" / package).mkdir(parents=True)
        (folder / "code" / package / "__init__.py").write_text("raise SystemExit('other code')")
    environment = {
        **foreign_variables(trap.url, folder),
        "LC_ALL": "C",
        "LANG": "C",
        "PYTHONPATH": str(folder / "code"),
        "PYTHONSAFEPATH": "1",
        "PYTHONWARNINGS": "error",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii",
        "PYTHONSTARTUP": str(folder / "code" / "infra" / "__init__.py"),
        "PIP_USER": "1",
        "WEB_CONCURRENCY": "1",
        "DATABASE_URL": trap.url.replace("http", "postgresql"),
    }
    made = Stack(frozenset(), folder / "Bücher 書", environment, command=(*MAKE, "run"))
    with made:
        yield made
    kill(made.processes())


def make(stack: Stack, *arguments: str) -> str:
    """Run a command of make in the same shell; return its output."""
    done = subprocess.run(
        [*MAKE, *arguments],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "Traceback" not in output
    return output


def test_every_command_works_and_reaches_nobody_else(stack: Stack, trap: Server) -> None:
    assert "finished" in make(stack, "extract", "DOMAIN=users", "SOAK=0")
    stack.config = with_current_stage(stack.config)
    assert "users    owned by users, served by users" in make(stack, "status")
    assert "No difference." in make(stack, "reconcile")
    assert "monolith: " in make(stack, "replay", "SINCE=1m")
    backup = re.search(r"to (.+/backups/\S+)\.", make(stack, "backup"))
    assert backup, "no backup was named"
    assert "has stopped" in make(stack, "stop")
    assert stack.process is not None
    stack.process.wait(20)
    assert "Restored" in make(stack, "restore", f"FROM={backup[1]}")
    stack.start()
    assert "This is stage users, not monolith" in stack.output_text()
    assert trap.received == []
    assert not [log for log in stack.config.log_folder.iterdir() if trap.url in log.read_text()]


def test_launcher_refuses_a_limit_that_is_too_low(tmp_path: Path) -> None:
    low = ("sh", "-c", 'ulimit -n 100; exec "$@"', "sh", *MAKE[4:], "run")
    stack = Stack(frozenset(), tmp_path, command=low)
    assert stack.spawn().wait(20) != 0
    assert "the limit of open files is 100" in stack.output_text()
    assert "`ulimit -n 256` or more" in stack.output_text()
    assert "Traceback" not in stack.output_text()
