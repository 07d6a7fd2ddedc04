"""Reports of a person's progress, for people and for grading programs."""

import csv
import io
import json
import sys
from collections.abc import Callable
from datetime import datetime
from xml.etree import ElementTree as ET

from labs.course import Course, Step
from labs.progress import Progress, StepProgress

POINTS, HINT_COST = 10, 1
"""Points of a step, and how many a hint takes; no step that passed has fewer than one."""


def write(course: Course, progress: Progress, form: str) -> int:
    """Print a report; return the exit code."""
    sys.stdout.write(FORMATS[form](course, progress))
    return 0


def count_points(step: StepProgress) -> int:
    """Return the points of a step: none before it passes, and none for a solution that was read."""
    if not step.passed or step.gave_up:
        return 0
    return max(1, POINTS - HINT_COST * step.hints)


def _minutes(step: StepProgress) -> str:
    if not step.passed or not step.began_at:
        return ""
    took = datetime.fromisoformat(step.passed_at) - datetime.fromisoformat(step.began_at)
    return f"{took.total_seconds() / 60:.0f}"


def _text(course: Course, progress: Progress) -> str:
    lines = [f"{'step':6}{'points':>7}{'attempts':>10}{'hints':>7}{'minutes':>9}  title"]
    for step in course.steps:
        done = progress.step(step.id)
        lines.append(
            f"{step.id:6}{count_points(done):>7}{done.attempts:>10}{done.hints:>7}"
            f"{_minutes(done):>9}  {step.title}"
        )
    total = sum(count_points(progress.step(step.id)) for step in course.steps)
    lines.append(f"{total} of {POINTS * len(course.steps)} points")
    return "\n".join(lines) + "\n"


def _csv(course: Course, progress: Progress) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["step", "title", "points", "attempts", "hints", "gave_up", "minutes"])
    for step in course.steps:
        done = progress.step(step.id)
        writer.writerow(
            [
                *(step.id, step.title, count_points(done), done.attempts, done.hints),
                *("yes" if done.gave_up else "no", _minutes(done)),
            ]
        )
    return out.getvalue()


def _gradescope(course: Course, progress: Progress) -> str:
    """Return Gradescope's results.json: a test for each step."""
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


def _junit(course: Course, progress: Progress) -> str:
    suite = ET.Element("testsuite", name="labs", tests=str(len(course.steps)))
    failures = 0
    for step in course.steps:
        case = ET.SubElement(suite, "testcase", classname=f"lab{step.lab}", name=_name(step))
        if not progress.step(step.id).passed:
            failures += 1
            ET.SubElement(case, "failure", message=_told(progress.step(step.id)))
    suite.set("failures", str(failures))
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _name(step: Step) -> str:
    return f"{step.id} {step.title}"


def _told(step: StepProgress) -> str:
    failures = ", ".join(f"{name} ({count}x)" for name, count in sorted(step.failures.items()))
    attempts = f"{step.attempts} attempts, {step.hints} hints"
    return f"{attempts}; {failures}" if failures else attempts


FORMATS: dict[str, Callable[[Course, Progress], str]] = {
    "text": _text,
    "csv": _csv,
    "gradescope": _gradescope,
    "junit": _junit,
}
