"""Progress of one person: attempts, hints, passes and times of each step, in a file."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.atomic_file import write_atomically

FORMAT = 1


class ProgressError(Exception):
    """The file is of another edition, or damaged; the message says what to do."""


@dataclass
class StepProgress:
    """Progress in a step; times are ISO 8601 in UTC, and empty for events that are to come."""

    began_at: str = ""
    passed_at: str = ""
    attempts: int = 0
    hints: int = 0
    gave_up: bool = False
    failures: dict[str, int] = field(default_factory=dict)
    """The number of failures, by the name of their diagnosis."""

    @property
    def passed(self) -> bool:
        """Return whether the step's check has passed."""
        return bool(self.passed_at)


class Progress:
    """The progress in all steps; each change is stored at once."""

    def __init__(self, file: Path) -> None:
        """Read the file, if there is one; raise ProgressError."""
        self._file = file
        self._steps: dict[str, StepProgress] = {}
        try:
            table = json.loads(file.read_text(encoding="utf-8"))
            if table["format"] != FORMAT:
                msg = f"{file} is of another edition of the labs; move it away to begin anew"
                raise ProgressError(msg)
            self._steps = {name: StepProgress(**step) for name, step in table["steps"].items()}
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{file} is damaged ({error}); move it away to begin anew"
            raise ProgressError(msg) from error

    def step(self, step_id: str) -> StepProgress:
        """Return a step's progress; changes of it are not stored."""
        return self._steps.get(step_id, StepProgress())

    def record_begin(self, step_id: str) -> None:
        """Store when a person first came to a step."""
        step = self._of(step_id)
        step.began_at = step.began_at or _now()
        self._store()

    def record_pass(self, step_id: str) -> None:
        """Store an attempt that passed; later ones are not counted."""
        step = self._of(step_id)
        if step.passed:
            return
        step.attempts += 1
        step.passed_at = _now()
        self._store()

    def reopen(self, step_id: str) -> None:
        """Forget that a step passed, because its code was put back."""
        if self.step(step_id).passed:
            self._of(step_id).passed_at = ""
            self._store()

    def record_failure(self, step_id: str, diagnosis: str) -> None:
        """Store an attempt that failed, with the name of its diagnosis.

        A person who has passed breaks the code to see what happens, which is not counted.
        """
        step = self._of(step_id)
        if step.passed:
            return
        step.attempts += 1
        step.failures[diagnosis] = step.failures.get(diagnosis, 0) + 1
        self._store()

    def record_hint(self, step_id: str) -> int:
        """Store that one more hint was read, and return which, from 1."""
        step = self._of(step_id)
        step.hints += 1
        self._store()
        return step.hints

    def record_surrender(self, step_id: str) -> None:
        """Store that the solution was read before passing."""
        self._of(step_id).gave_up = True
        self._store()

    def as_table(self) -> dict[str, Any]:
        """Return everything, as it is stored."""
        steps = {name: asdict(step) for name, step in sorted(self._steps.items())}
        return {"format": FORMAT, "steps": steps}

    def _of(self, step_id: str) -> StepProgress:
        return self._steps.setdefault(step_id, StepProgress())

    def _store(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file, json.dumps(self.as_table(), indent=2) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
