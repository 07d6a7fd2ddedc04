"""RESTART=on: dying processes are restarted, and others can be stopped."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from infra.runner.config import GATEWAY
from tests.support.harness import Stack, listens

USERS = frozenset({"users"})
PARTS = ("gateway", "monolith", "users", "users-worker", "dynamodb", "bus")
SMALL = {"WEB_CONCURRENCY": "1"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(USERS, tmp_path_factory.mktemp("kept"), SMALL, restart=True) as running:
        yield running


def until(done: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def serves(stack: Stack) -> bool:
    try:
        answers = [
            requests.get(f"{stack.base_url}{path}", timeout=5)
            for path in ("/", "/api/users", "/api/threads")
        ]
    except requests.ConnectionError:
        return False
    return all(answer.ok for answer in answers)


@pytest.mark.parametrize("kill", [Stack.kill, Stack.kill_group], ids=["first", "group"])
@pytest.mark.parametrize("part", PARTS)
def test_killed_process_is_restarted(
    stack: Stack, part: str, kill: Callable[[Stack, str], None]
) -> None:
    before, printed = stack.pid(part), len(stack.output_text())
    kill(stack, part)
    until(lambda: stack.pid(part) not in {0, before})
    until(lambda: f"{part} was restarted" in stack.output_text()[printed:])
    stack.wait_for(part)
    until(lambda: serves(stack))


def test_killed_process_that_a_mover_started_is_restarted(tmp_path: Path) -> None:
    with Stack(frozenset(), tmp_path, SMALL, restart=True) as stack:
        stack.start_process("bus")
        before = stack.pid("bus")
        # Longer than the launcher needs to see it.
        time.sleep(2)
        stack.kill("bus")
        until(lambda: stack.pid("bus") not in {0, before})
        until(lambda: "bus was restarted" in stack.output_text())
        stack.wait_for("bus")


def test_workers_of_a_killed_master_end(stack: Stack) -> None:
    master = stack.pid("monolith")
    stack.kill("monolith")
    until(lambda: stack.pid("monolith") not in {0, master})
    until(lambda: not in_group(master))


def in_group(group: int) -> list[str]:
    """The processes of a group; reads Linux's /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group:
                found.append((process / "stat").read_text())
        except (OSError, ProcessLookupError):
            continue
    return found


def test_stopped_process_stays_down(stack: Stack) -> None:
    stack.stop_process("users")
    # Longer than the launcher needs to see it.
    time.sleep(2)
    assert stack.pid("users") == 0
    assert requests.get(f"{stack.base_url}/api/users", timeout=5).status_code == 503
    stack.start_process("users")
    until(lambda: serves(stack))


def test_process_can_be_paused(stack: Stack) -> None:
    stack.pause("users")
    try:
        with pytest.raises(requests.Timeout):
            requests.get(f"{stack.urls['users']}/healthz", timeout=1)
    finally:
        stack.resume("users")
    assert requests.get(f"{stack.urls['users']}/healthz", timeout=10).ok


def test_process_that_keeps_failing_is_restarted_until_it_works(tmp_path: Path) -> None:
    with Stack(frozenset(), tmp_path, SMALL, restart=True) as stack:
        file = stack.config.run_folder / "envoy.json"
        good = file.read_text()
        file.write_text("{")
        stack.kill(GATEWAY)
        until(lambda: "gateway keeps failing" in stack.output_text(), 40)
        file.write_text(good)
        stack.wait_for(GATEWAY)
        assert stack.stop() == 0


def test_stop_ends_processes_that_are_being_restarted(tmp_path: Path) -> None:
    with Stack(USERS, tmp_path, SMALL, restart=True) as stack:
        for part in ("users", "monolith", "bus"):
            stack.kill(part)
        stopped = stack.control("stop")
        assert "has stopped" in stopped.stdout
        assert stack.process is not None
        assert stack.process.wait(5) == 0
        assert not stack.wait_until_gone()
        assert not listens(stack.config.ports["users"])


def test_without_supervisord_nothing_can_be_started_again(tmp_path: Path) -> None:
    with Stack(frozenset(), tmp_path, SMALL, restart=True) as stack:
        os.kill(int((stack.config.run_folder / "supervisord.pid").read_text()), 9)
        assert stack.process is not None
        assert stack.process.wait(20) == 1
        assert not stack.wait_until_gone()
        assert "supervisord died" in stack.output_text()
