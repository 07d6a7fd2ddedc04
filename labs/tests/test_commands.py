"""Commands of the texts do what the texts say, in a workspace as people have it."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.runner.config import ROOT
from labs.course import Lab, Step, read_course
from labs.tests.console_blocks import Command, read_commands
from labs.tests.repositories import copy_repository, git
from labs.workspace import Workspace

COURSE = read_course()
SECONDS = 120


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = copy_repository(tmp_path_factory.mktemp("labs") / "repository")
    # The installation that `make lab` would make.
    (repository / ".venv").symlink_to(ROOT / ".venv")
    return repository


@pytest.fixture(scope="module")
def workspace(repository: Path) -> Workspace:
    return Workspace(repository / "var/labs/workspace", repository)


def enter(workspace: Workspace, lab: Lab) -> None:
    workspace.start(lab.number, lab.removals)


def solve(workspace: Workspace, step: Step) -> None:
    solution = git(workspace.repository, "rev-parse", "HEAD").strip()
    workspace.git("checkout", solution, "--", ".")
    if (patch := step.folder.with_name("solution.patch")).exists():
        git(workspace.folder, "apply", str(patch))


def run(command: Command, folder: Path) -> str:
    # As in a person's terminal, not below the `make` that runs the tests.
    of_make = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    done = subprocess.run(
        ["bash", "-c", command.line],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in of_make},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )
    return done.stdout.decode()


@pytest.mark.parametrize("step", COURSE.steps, ids=lambda step: step.id)
def test_commands_print_what_the_text_says(step: Step, workspace: Workspace) -> None:
    commands = list(read_commands(step.text))
    assert f"make lab ARGS='check {step.id}'" in [command.line for command in commands]
    enter(workspace, COURSE.lab(step.lab))
    workspace.git("reset", "--quiet", "--hard", workspace.start_commit())
    workspace.git("clean", "--quiet", "--force", "-d")
    for command in [each for each in commands if each.at_start]:
        expect(command, run(command, workspace.folder))
    solve(workspace, step)
    for command in [each for each in commands if not each.at_start]:
        expect(command, run(command, workspace.folder))


def expect(command: Command, output: str) -> None:
    assert command.matches(output), f"$ {command.line}\n{output}\ninstead of\n{command.output}"


@pytest.mark.parametrize(
    ("expected", "output", "matches"),
    [
        ("one\n...\nfour\n", "one\ntwo\nthree\nfour\n", True),
        ("passes (... s).\n", "passes (1.2 s).\n", True),
        ("passes (... s).\n", "fails (1.2 s).\n", False),
        ("one\n", "one\ntwo\n", False),
        ("...\n", "", True),
        ("", "unexpected\n", False),
    ],
)
def test_dots_stand_for_any_text(expected: str, output: str, *, matches: bool) -> None:
    assert Command("", expected, at_start=False).matches(output) == matches


def test_block_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="not run"):
        list(read_commands("```sh\nmake run\n```\n"))
