"""The processes of a stage, while a move changes the stage."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.runner.config import PORTS, RunConfig
from infra.runner.stage_processes import StageProcesses
from infra.runner.supervisor import ProcessFailedError, ProcessState

USERS = frozenset({"users"})


class Supervisor:
    """A supervisor whose processes run, except for those that died or were stopped."""

    def __init__(self) -> None:
        self.dead = set[str]()
        self.stopped = set[str]()
        self.meanwhile: Callable[[], None] = lambda: None

    def states(self) -> dict[str, ProcessState]:
        self.meanwhile()
        names = RunConfig(USERS, {}, Path()).processes
        return {
            name: ProcessState(
                name,
                running=name not in self.dead | self.stopped,
                pid=1,
                exit_code=0,
                error="",
                stopped=name in self.stopped,
            )
            for name in names
        }

    def is_alive(self) -> bool:
        return True


def started(supervisor: Any) -> tuple[StageProcesses, RunConfig]:
    config = RunConfig(USERS, {part: default for part, (_, default) in PORTS.items()}, Path())
    processes = StageProcesses(config, supervisor, lambda _: None)
    assert processes.check(lambda: config, print) == config
    return processes, config


def test_process_that_a_move_stops_has_not_died() -> None:
    supervisor = Supervisor()
    processes, config = started(supervisor)
    recorded = [config]

    def move() -> None:
        recorded.append(replace(config, extracted=frozenset()))
        supervisor.dead = {"users", "users-worker"}

    supervisor.meanwhile = move
    said: list[str] = []
    assert processes.check(lambda: recorded[-1], said.append).extracted == frozenset()
    assert said == ["The forum is now at stage monolith."]


def test_worker_stopped_before_the_stage_is_recorded_has_not_died() -> None:
    supervisor = Supervisor()
    processes, config = started(supervisor)
    supervisor.stopped = {"users-worker"}
    assert processes.check(lambda: config, print) == config
    supervisor.stopped = set()
    processes.check(lambda: config, print)
    supervisor.dead = {"users-worker"}
    with pytest.raises(ProcessFailedError, match="users-worker"):
        processes.check(lambda: config, print)


def test_process_of_the_stage_that_ends_has_died() -> None:
    supervisor = Supervisor()
    processes, config = started(supervisor)
    supervisor.dead = {"users"}
    with pytest.raises(ProcessFailedError, match="users"):
        processes.check(lambda: config, print)
