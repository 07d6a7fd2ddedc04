"""Start and end of a run: ports in use, signals, dying processes, and cleanup."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra import stages
from infra.runner import console
from infra.runner.config import PORTS, RunConfig
from tests.support.harness import Stack, kill, listens

MONOLITH_ONLY: frozenset[str] = frozenset()
USERS = frozenset({"users"})
SMALL = {"WEB_CONCURRENCY": "1"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(MONOLITH_ONLY, tmp_path, SMALL)
    yield made
    kill(made.processes())


def occupied(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Listen on a port until the end of the block; an empty host is every address."""
    return socket.create_server((host, port))


def assert_refused(stack: Stack, *expected: str) -> None:
    """The launcher says so and ends; nothing was started."""
    assert stack.spawn().wait(20) == 1
    for text in expected:
        assert text in stack.output_text()
    assert "Traceback" not in stack.output_text()
    assert not stack.config.log_folder.exists()
    assert not stack.processes()


@pytest.mark.parametrize("part", ["gateway", "monolith", "users", "dynamodb", "bus"])
def test_taken_port_is_named_before_anything_starts(tmp_path: Path, part: str) -> None:
    stack = Stack(USERS, tmp_path, SMALL)
    with occupied(stack.config.ports[part]):
        variable = PORTS[part][0]
        assert_refused(stack, f"port {stack.config.ports[part]}", f"{variable}=<port>", part)


def test_all_taken_ports_are_named_together(tmp_path: Path) -> None:
    stack = Stack(USERS, tmp_path, SMALL)
    ports = stack.config.ports
    with occupied(ports["gateway"], ""), occupied(ports["users"], ""):
        assert_refused(stack, "PORT=<port>", "USERS_PORT=<port>")


def test_port_that_the_stage_does_not_need_may_be_taken(stack: Stack) -> None:
    with occupied(stack.config.ports["users"]), stack:
        assert listens(stack.config.ports["gateway"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"EXTRACTED": "users,comments"}, "'comments'"),
        ({"PORT": "http"}, "PORT must be a port from 1 to 65535, not 'http'"),
        ({"USERS_PORT": "0"}, "USERS_PORT must be a port"),
        ({"RESTART": "always"}, "RESTART must be on or off, not 'always'"),
        ({"PORT": "8081", "MONOLITH_PORT": "8081"}, "PORT and MONOLITH_PORT are both 8081"),
    ],
)
def test_wrong_setting_is_named(tmp_path: Path, setting: dict[str, str], message: str) -> None:
    assert_refused(Stack(MONOLITH_ONLY, tmp_path, setting), message)


@pytest.mark.parametrize("name", ["it's mine", "100%", "what?", "C #"])
def test_unsupported_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    stack = Stack(MONOLITH_ONLY, tmp_path, {"VAR_DIR": str(tmp_path / name)})
    assert_refused(stack, "VAR_DIR must not contain")


def test_folder_runs_one_forum_only(stack: Stack) -> None:
    with stack:
        second = Stack(USERS, stack.config.var)
        second.output = stack.config.var / "second.log"
        assert second.spawn().wait(20) == 1
        said = f"is already running from this folder at {stack.base_url} as process"
        assert said in second.output_text()
        assert len(second.output_text().splitlines()) == 1
        assert stack.process is not None
        assert str(stack.process.pid) in second.output_text()
        assert listens(stack.config.ports["gateway"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_everything_in_order(tmp_path: Path, number: int) -> None:
    with Stack(USERS, tmp_path, SMALL) as stack:
        started = time.monotonic()
        assert stack.stop(number) == 0
        assert time.monotonic() - started < 15
        stopped = re.findall(r"stopped: (\S+)", stack.log("supervisord"))
        assert stopped[0] == "gateway"
        assert set(stopped[1:3]) == {"monolith", "users"}
        assert set(stopped[3:6]) == {"monolith-worker", "users-worker", "bus-recovery"}
        assert set(stopped[6:]) == {"dynamodb", "bus"}


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.7, 1.2])
def test_signal_while_starting_leaves_nothing(stack: Stack, seconds: float) -> None:
    stack.spawn()
    time.sleep(seconds)
    # Before the launcher's handlers are in place, the signal itself ends it.
    assert stack.stop() in {0, -signal.SIGTERM}


def test_killed_launcher_leaves_nothing_and_the_folder_free(tmp_path: Path) -> None:
    with Stack(USERS, tmp_path, SMALL) as stack:
        assert stack.process is not None
        stack.process.kill()
        stack.process.wait()
        assert not stack.wait_until_gone(20)
        with stack:
            assert listens(stack.config.ports["gateway"])


def test_new_run_waits_for_the_end_of_a_killed_one(stack: Stack) -> None:
    with stack:
        assert stack.process is not None
        stack.process.kill()
        stack.process.wait()
        with stack:
            assert listens(stack.config.ports["gateway"])


PARTS = ("gateway", "monolith", "users", "users-worker", "dynamodb", "bus")


@pytest.mark.parametrize("part", PARTS)
def test_process_that_dies_is_named_and_stops_the_rest(tmp_path: Path, part: str) -> None:
    with Stack(USERS, tmp_path, SMALL) as stack:
        stack.kill(part)
        assert stack.process is not None
        assert stack.process.wait(20) == 1
        assert not stack.wait_until_gone()
        output = stack.output_text()
        assert f"{part} was killed by a signal" in output
        assert f"{part}.log" in output
        last = stack.log(part).splitlines()
        assert not last or last[-1][:100] in output or part == "gateway"


def test_process_that_does_not_start_is_named_with_its_log(tmp_path: Path) -> None:
    stack = Stack(USERS, tmp_path, {**SMALL, "SIGN_IN_LIMIT_PER_NAME": "many"})
    assert stack.spawn().wait(60) == 1
    assert not stack.wait_until_gone()
    output = stack.output_text()
    assert re.search(
        r"^(users|migrate|monolith) ended with code \d+\. Its last log lines:", output, re.M
    )
    assert "SIGN_IN_LIMIT_PER_NAME" in output


def test_without_supervisord_everything_ends(tmp_path: Path) -> None:
    with Stack(USERS, tmp_path, SMALL) as stack:
        pid = int((stack.config.run_folder / "supervisord.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        assert stack.process is not None
        assert stack.process.wait(20) == 1
        assert not stack.wait_until_gone()
        assert "supervisord died" in stack.output_text()


def test_stop_and_reset_from_elsewhere(stack: Stack) -> None:
    assert "is not running" in stack.control("stop").stdout
    with stack:
        refused = stack.control("reset")
        assert refused.returncode == 1
        assert "make stop" in refused.stderr
        assert "has stopped" in stack.control("stop").stdout
        assert stack.process is not None
        assert stack.process.wait(1) == 0
    del stack.environment["EXTRACTED"]
    assert stack.control("reset").returncode == 0
    assert not stack.config.var.exists()


def test_reset_deletes_one_stage_or_all(tmp_path: Path) -> None:
    stack = Stack(USERS, tmp_path / "var")
    for stage in ("monolith", "users"):
        (tmp_path / "var" / "stages" / stage).mkdir(parents=True)
    assert stack.control("reset").returncode == 0  # EXTRACTED=users
    assert [one.name for one in (tmp_path / "var" / "stages").iterdir()] == ["monolith"]
    stack.environment["EXTRACTED"] = "cats"
    assert "'cats'" in stack.control("reset").stderr
    del stack.environment["EXTRACTED"]
    kept = [tmp_path / "var" / name for name in ("backups", "labs")]
    for folder in kept:
        (folder / "one").mkdir(parents=True)
    assert f"except {kept[0]} and {kept[1]}" in stack.control("reset").stdout
    left = sorted(str(path.relative_to(tmp_path / "var")) for path in (tmp_path / "var").rglob("*"))
    assert left == ["backups", "backups/one", "labs", "labs/one"]
    for folder in kept:
        (folder / "one").rmdir()
        folder.rmdir()
    assert stack.control("reset").returncode == 0
    assert not (tmp_path / "var").exists()
    assert "There is no data" in stack.control("reset").stdout


def test_summary_ends_with_the_way_back_after_moves(tmp_path: Path) -> None:
    config = RunConfig(frozenset({"users"}), dict.fromkeys(PORTS, 1), tmp_path)
    assert "have moved" not in console.startup_summary(config, 1)
    moved = replace(config, extracted=frozenset({"posts"}), initial_stage=config.extracted)
    assert console.startup_summary(moved, 1).rstrip().splitlines()[-3:] == [
        "This is stage posts, not users: domains of this forum have moved.",
        "To move back: make reintegrate DOMAIN=posts, then make extract DOMAIN=users.",
        "To start over without its data: make stop, then make reset EXTRACTED=users.",
    ]


def test_summary_has_a_line_for_a_service_without_its_domain(tmp_path: Path) -> None:
    config = RunConfig(frozenset(), dict.fromkeys(PORTS, 1), tmp_path, moving=frozenset({"users"}))
    assert "its data is being moved here" in console.startup_summary(config, 1)


def test_folder_name_may_contain_spaces_and_parentheses(tmp_path: Path) -> None:
    folder = tmp_path / "it is (all) mine"
    with Stack(USERS, folder, SMALL) as stack:
        assert stages.stage_name(USERS) in {path.name for path in (folder / "stages").iterdir()}
        assert stack.stop() == 0
