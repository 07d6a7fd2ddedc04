"""The outcomes of a check: passed, failed with a diagnosis, inconclusive, or not run."""

from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Why a step failed, for the person who wrote the code.

    `name` identifies the diagnosis in reports and in the recorded mistakes. `where` is a file with
    a line, if the check knows one; `page` is a document of this repository.
    """

    name: str
    asked: str
    got: str
    expected: str
    why: str
    page: str
    where: str = ""

    def lines(self) -> list[str]:
        """Return the diagnosis as text."""
        labelled = [
            ("Asked", self.asked),
            ("Got", self.got),
            ("Expected", self.expected),
            ("Where", self.where),
            ("Why it matters", self.why),
            ("Read", self.page),
        ]
        return [f"{label + ':':16}{text}" for label, text in labelled if text]


class StepFailed(Exception):
    """The code does not do what the step asks for."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(diagnosis.name)
        self.diagnosis = diagnosis


class CheckInconclusive(Exception):
    """The check could not decide: a fault did not strike, or the machine was too slow."""


class CheckNotRun(Exception):
    """The code does not start: a syntax error, a time-out, an emulator that is down."""


def fail(
    name: str, *, asked: str, got: str, expected: str, why: str, page: str, where: str = ""
) -> NoReturn:
    """Raise StepFailed with a diagnosis."""
    raise StepFailed(
        Diagnosis(
            name=name, asked=asked, got=got, expected=expected, why=why, page=page, where=where
        )
    )
