"""A move is interrupted after each of its steps, by Ctrl-C or by kill -9, and goes on or ends.

The forum runs as `make run` runs it, without RESTART=on: a process that dies stops it.
"""

import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from infra.current_stage import read_current_stage
from infra.runner.config import ROOT, with_current_stage
from tests.extraction.forum import MOVER
from tests.faults.conftest import GENEROUS
from tests.support.harness import Stack

INTERRUPTED = "interrupted after "
SIGNALS = ("SIGKILL", "SIGINT")
PEOPLE = ("ada", "grace", "mara")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(
        frozenset(), tmp_path_factory.mktemp("forum"), GENEROUS | {"WEB_CONCURRENCY": "1"}
    ) as made:
        for name in PEOPLE:
            body = {"username": name, "password": "correct horse"}
            answer = requests.post(f"{made.base_url}/api/users", json=body, timeout=20)
            assert answer.status_code == 201, answer.text
        yield made


def move(stack: Stack, *arguments: str, step: int = 0) -> tuple[int, str]:
    """Run the mover, interrupted after a step if there is one; return its code and its output."""
    interrupted = (sys.executable, "-m", "tests.extraction.interrupted_mover")
    name = SIGNALS[step % 2]
    done = subprocess.run(
        [*(interrupted if step else MOVER), *((str(step), name) if step else ()), *arguments],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    output = done.stdout + done.stderr
    if done.returncode and INTERRUPTED in output:
        codes = {"SIGKILL": {-signal.SIGKILL}, "SIGINT": {130}}
        assert done.returncode in codes[name], output
        assert ("Run this again to resume." in output) == (name == "SIGINT"), output
    else:
        assert done.returncode == 0, f"{output}\n{stack.output_text()}"
    assert "Traceback" not in output
    assert stack.process is not None
    assert stack.process.poll() is None, f"{output}\n{stack.output_text()}"
    return done.returncode, output


def interrupt_each_step(stack: Stack, *arguments: str) -> Iterator[str]:
    """Run the mover again and again, each time for one step more; yield its outputs."""
    for step in itertools.count(1):
        code, output = move(stack, *arguments, step=step)
        yield output
        if not code:
            return


def assert_owned_by(stack: Stack, owner: str) -> None:
    """The forum serves the people, and nothing of a move is left."""
    for name in PEOPLE:
        account = {"username": name, "password": "correct horse"}
        answer = requests.post(f"{stack.base_url}/api/users/sessions", json=account, timeout=20)
        assert answer.status_code == 201, answer.text
        assert answer.headers["X-Served-By"].startswith(f"{owner}/")
    current = read_current_stage(stack.config.stage_file)
    assert current is None or current.moving == frozenset()
    states = stack.query("SELECT state FROM domains WHERE domain = 'users'")
    assert states in ([], [("settled",)])
    needed = owner != "monolith"
    for part in ("dynamodb", "bus", "users", "users-worker", "monolith-worker", "bus-recovery"):
        assert (stack.pid(part) > 0) == needed, part


def test_extraction_interrupted_while_it_prepares_can_be_cancelled(stack: Stack) -> None:
    steps = 0
    for step in itertools.count(1):
        code, _ = move(stack, "extract", "users", "--phase", "prepare", step=step)
        move(stack, "reintegrate", "users")
        assert_owned_by(stack, "monolith")
        steps += 1
        if not code:
            break
    assert steps > 8


def test_extraction_interrupted_at_every_step_finishes(stack: Stack) -> None:
    outputs = list(interrupt_each_step(stack, "extract", "users", "--soak", "0"))
    assert len(outputs) > 8
    assert_owned_by(stack, "users")


def test_reintegration_interrupted_before_it_begins_can_be_cancelled(stack: Stack) -> None:
    move(stack, "reintegrate", "users", "--phase", "prepare", step=2)
    move(stack, "extract", "users")
    assert_owned_by(stack, "users")


def test_reintegration_interrupted_at_every_step_finishes(stack: Stack) -> None:
    outputs = list(interrupt_each_step(stack, "reintegrate", "users", "--soak", "0"))
    assert len(outputs) > 8
    assert_owned_by(stack, "monolith")


def test_mover_of_a_forum_that_stops_says_so(stack: Stack) -> None:
    move(stack, "reintegrate", "users", "--soak", "0")
    code, output = move(stack, "extract", "users", "--phase", "prepare", step=2)
    assert code, output
    stack.stop()
    done = subprocess.run(
        [*MOVER, "extract", "users"],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "No forum is running" in done.stdout
    # The killed move is known to the next run, and goes on there.
    # It starts with a service that owns nothing yet.
    stack.start()
    stack.config = with_current_stage(stack.config)
    move(stack, "extract", "users", "--soak", "0")
    assert_owned_by(stack, "users")
