"""Reports of people's progress, for themselves, their teachers and grading programs."""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from xml.etree import ElementTree as ET

from jinja2 import Environment, FileSystemLoader

from labs.course import Course, Step
from labs.progress import Progress, StepProgress

POINTS, HINT_COST = 10, 1
"""Points of a step, and how many a hint takes; no step that passed has fewer than one."""
People = Mapping[str, Progress]
"""The progress of each person, by name; the only one at this machine has an empty name."""
_TEMPLATES = Path(__file__).with_name("templates")
_SHOWN_FAILURES = 3


class ReportError(Exception):
    """A report can't be made of these files; the message says why."""


def read_people(files: Sequence[Path]) -> People:
    """Read files of progress; a person's name is the file's, or its folder's for `progress.json`.

    Raises:
        ReportError: a file is missing, or two have one name.
        ProgressError: a file is damaged.
    """
    people: dict[str, Progress] = {}
    for file in files:
        name = file.absolute().parent.name if file.stem == "progress" else file.stem
        if not file.is_file():
            msg = f"{file} is not a file"
            raise ReportError(msg)
        if name in people:
            msg = f"two files are of {name}; rename one"
            raise ReportError(msg)
        people[name] = Progress(file)
    return people


def write(course: Course, people: People, form: str) -> int:
    """Print a report; return the exit code."""
    sys.stdout.write(FORMATS[form](course, people))
    return 0


def count_points(step: StepProgress) -> int:
    """Return the points of a step: none before it passes, and none for a solution that was read."""
    if not step.passed or step.gave_up:
        return 0
    return max(1, POINTS - HINT_COST * step.hints)


@dataclass(frozen=True)
class Row:
    """A person's progress in a step, or several people's: then numbers are medians."""

    step: Step
    passed: int
    points: float
    attempts: float
    hints: float
    minutes: float | None
    gave_up: int
    failures: tuple[tuple[str, int], ...]
    """The most frequent diagnoses, each with its number."""

    @property
    def shown_minutes(self) -> str:
        """The minutes, or nothing if no one has passed."""
        return "" if self.minutes is None else f"{self.minutes:.0f}"

    @property
    def shown_failures(self) -> str:
        """The diagnoses as text."""
        return ", ".join(f"{name} ({count}x)" for name, count in self.failures)


def summarize(course: Course, people: Sequence[Progress]) -> list[Row]:
    """Return a row for each step."""
    return [_row(step, [progress.step(step.id) for progress in people]) for step in course.steps]


def _row(step: Step, done: Sequence[StepProgress]) -> Row:
    failures: Counter[str] = Counter()
    for each in done:
        failures.update(each.failures)
    # Attempts, hints and times of people who have not come to a step say nothing about it.
    begun = [each for each in done if each.attempts or each.began_at] or list(done)
    minutes = [took for each in begun if (took := _minutes(each)) is not None]
    return Row(
        step,
        passed=sum(each.passed for each in done),
        points=median(map(count_points, done)),
        attempts=median(each.attempts for each in begun),
        hints=median(each.hints for each in begun),
        minutes=median(minutes) if minutes else None,
        gave_up=sum(each.gave_up for each in done),
        failures=tuple(failures.most_common(_SHOWN_FAILURES)),
    )


def _minutes(step: StepProgress) -> float | None:
    if not step.passed or not step.began_at:
        return None
    took = datetime.fromisoformat(step.passed_at) - datetime.fromisoformat(step.began_at)
    return took.total_seconds() / 60


def _total(course: Course, progress: Progress) -> int:
    return sum(count_points(progress.step(step.id)) for step in course.steps)


def _text(course: Course, people: People) -> str:
    heads = ("passed", "points", "attempts", "hints", "minutes")
    lines = ["step  " + "".join(f"{head:>10}" for head in heads) + "  title"]
    for row in summarize(course, list(people.values())):
        numbers = (f"{row.points:g}", f"{row.attempts:g}", f"{row.hints:g}", row.shown_minutes)
        cells = (f"{row.passed}/{len(people)}", *numbers)
        lines.append(f"{row.step.id:6}" + "".join(f"{cell:>10}" for cell in cells))
        lines[-1] += f"  {row.step.title}"
        if row.failures:
            lines.append(f"{'':8}failed: {row.shown_failures}")
    for name, progress in people.items():
        of = f"{_total(course, progress)} of {POINTS * len(course.steps)} points"
        lines.append(f"{name}: {of}" if name else of)
    return "\n".join(lines) + "\n"


def _csv(course: Course, people: People) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = ["person", "step", "title", "points", "attempts", "hints", "gave_up", "minutes"]
    writer.writerow([*heads, "failures"])
    for name, progress in people.items():
        for row in summarize(course, [progress]):
            numbers = (row.points, row.attempts, row.hints, "yes" if row.gave_up else "no")
            cells = (name, row.step.id, row.step.title, *numbers)
            writer.writerow([*cells, row.shown_minutes, row.shown_failures])
    return out.getvalue()


def _html(course: Course, people: People) -> str:
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    totals = {name: _total(course, progress) for name, progress in people.items()}
    return (
        templates.get_template("report.html").render(
            rows=summarize(course, list(people.values())),
            people=totals,
            cells={
                name: [progress.step(step.id) for step in course.steps]
                for name, progress in people.items()
            },
            steps=course.steps,
            most=POINTS * len(course.steps),
        )
        + "\n"
    )


def _gradescope(course: Course, people: People) -> str:
    """Return Gradescope's results.json: a test for each step."""
    progress = _only(people)
    tests = [
        {
            "name": _name(step),
            "score": count_points(progress.step(step.id)),
            "max_score": POINTS,
            "status": "passed" if progress.step(step.id).passed else "failed",
            "output": _told(progress.step(step.id)),
        }
        for step in course.steps
    ]
    return json.dumps({"tests": tests, "visibility": "visible"}, indent=2) + "\n"


def _junit(course: Course, people: People) -> str:
    progress = _only(people)
    suite = ET.Element("testsuite", name="labs", tests=str(len(course.steps)))
    failures = 0
    for step in course.steps:
        case = ET.SubElement(suite, "testcase", classname=f"lab{step.lab}", name=_name(step))
        if not progress.step(step.id).passed:
            failures += 1
            ET.SubElement(case, "failure", message=_told(progress.step(step.id)))
    suite.set("failures", str(failures))
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _only(people: People) -> Progress:
    if len(people) != 1:
        msg = f"this format is for one person, not {len(people)}"
        raise ReportError(msg)
    return next(iter(people.values()))


def _name(step: Step) -> str:
    return f"{step.id} {step.title}"


def _told(step: StepProgress) -> str:
    failures = ", ".join(f"{name} ({count}x)" for name, count in sorted(step.failures.items()))
    attempts = f"{step.attempts} attempts, {step.hints} hints"
    return f"{attempts}; {failures}" if failures else attempts


FORMATS: dict[str, Callable[[Course, People], str]] = {
    "text": _text,
    "html": _html,
    "csv": _csv,
    "gradescope": _gradescope,
    "junit": _junit,
}
