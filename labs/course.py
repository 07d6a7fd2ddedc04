"""The course: its labs and steps, read from `lessons`.

A lab is a folder `labNN_name`. Its module `checks` has `CHECKS`, a function for each step, and it
has a folder for each step with `step.md`, `why.md`, `hints.toml` (a hint of each grade) and
`mistakes/*.patch`. `questions.toml` is its knowledge check. Its `lab.toml` has `title`, `docker`,
`stage` (that of the contract suite at its end), and a `[[step]]` each with

- `title`, and `minutes`;
- `fails`, the name of the diagnosis at the start; without it there is nothing to write;
- what the start state lacks: `bodies` (`path::Class.method`), and `texts` (`path`, `text`, and
  `replacement`).
"""

import importlib
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.runner.config import ROOT
from labs.questions import Question, read_questions
from labs.removal import Body, Text, read_body
from labs.workspace import Workspace

LESSONS = Path(__file__).with_name("lessons")
GRADES = ("question", "place", "document")
"""The grades of hints, from the least to the most."""

Check = Callable[[Workspace], None]
"""A step's check: it returns if the step passes, and raises an outcome otherwise."""


class UnknownStepError(LookupError):
    """There is no such lab or step; the message lists those that there are."""


@dataclass(frozen=True)
class Step:
    """A step of a lab; `number` begins at 1, `minutes` is the expected time."""

    lab: int
    number: int
    title: str
    minutes: int
    folder: Path
    module: str
    first_failure: str
    removals: tuple[Body | Text, ...]

    @property
    def id(self) -> str:
        """The id that people type: `5.1`."""
        return f"{self.lab}.{self.number}"

    @property
    def text(self) -> str:
        """The step's instructions, in Markdown."""
        return (self.folder / "step.md").read_text(encoding="utf-8")

    @property
    def reason(self) -> str:
        """The reasons for the solution, in Markdown, for people who have passed."""
        return (self.folder / "why.md").read_text(encoding="utf-8")

    @property
    def hints(self) -> tuple[str, ...]:
        """The hints, in the order of `GRADES`."""
        table = tomllib.loads((self.folder / "hints.toml").read_text(encoding="utf-8"))
        return tuple(table[grade] for grade in GRADES)

    @property
    def mistakes(self) -> tuple[Path, ...]:
        """Patches of the solution that people really make; the stem is the diagnosis' name."""
        return tuple(sorted((self.folder / "mistakes").glob("*.patch")))

    @property
    def source(self) -> Path:
        """The path of the instructions in the repository."""
        return Path(os.path.relpath(self.folder, ROOT)) / "step.md"

    def check(self, workspace: Workspace) -> None:
        """Check the step; raise an outcome of `labs.outcome` unless it passes."""
        checks: tuple[Check, ...] = importlib.import_module(self.module).CHECKS
        checks[self.number - 1](workspace)


@dataclass(frozen=True)
class Lab:
    """A lab and its steps; `docker` means that it needs a container engine.

    `stage` names the domains that are services when the lab is done, such as `users+threads`.
    """

    number: int
    title: str
    docker: bool
    stage: str
    questions: tuple[Question, ...]
    steps: tuple[Step, ...]

    @property
    def minutes(self) -> int:
        """The expected time of all steps."""
        return sum(step.minutes for step in self.steps)

    @property
    def removals(self) -> dict[str, tuple[Body | Text, ...]]:
        """The solutions that the start state lacks, by the label of each step."""
        return {f"Lab {step.id}": step.removals for step in self.steps}


@dataclass(frozen=True)
class Course:
    """All labs, in their order."""

    labs: tuple[Lab, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in their order."""
        return tuple(step for lab in self.labs for step in lab.steps)

    def lab(self, number: int) -> Lab:
        """Return a lab; raise UnknownStepError."""
        for lab in self.labs:
            if lab.number == number:
                return lab
        known = ", ".join(str(lab.number) for lab in self.labs)
        msg = f"There is no lab {number}; there are {known}."
        raise UnknownStepError(msg)

    def step(self, step_id: str) -> Step:
        """Return a step by its id; raise UnknownStepError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        known = ", ".join(step.id for step in self.steps)
        msg = f"There is no step {step_id}; there are {known}."
        raise UnknownStepError(msg)


def read_course(folder: Path = LESSONS) -> Course:
    """Read all labs."""
    return Course(tuple(_read_lab(file) for file in sorted(folder.glob("*/lab.toml"))))


def _read_lab(file: Path) -> Lab:
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    number = int(file.parent.name.partition("_")[0].removeprefix("lab"))
    module = f"labs.lessons.{file.parent.name}.checks"
    steps = tuple(
        _read_step(number, index, entry, file.parent, module)
        for index, entry in enumerate(table["step"], start=1)
    )
    return Lab(
        number,
        table["title"],
        table.get("docker", False),
        table.get("stage", "users+threads+posts"),
        read_questions(file.parent),
        steps,
    )


def _read_step(lab: int, number: int, entry: dict[str, Any], folder: Path, module: str) -> Step:
    return Step(
        lab,
        number,
        entry["title"],
        entry["minutes"],
        folder / f"step_{number}",
        module,
        entry.get("fails", ""),
        (
            *(read_body(target) for target in entry.get("bodies", ())),
            *(Text(**target) for target in entry.get("texts", ())),
        ),
    )
