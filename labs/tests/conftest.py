"""Selection of the labs' tests: what Docker allows, and a part of the slow ones.

Every run checks each step's start state, its solution and the commands of its text. Repeated
solutions and mistakes take longer: a run has those of every third step, chosen by the commit, and
FULL=1 has all.
"""

import os

import pytest

from labs.course import Lab, Step, read_course
from labs.doctor import find_docker_problem
from tests.support.commit import commit_number

PARTS = 3
ROTATING = ("test_solution_passes_twice", "test_mistake_gets_its_diagnosis")
# A step's texts need no engine.
WITHOUT_ENGINE = ("test_step_is_complete", "test_lab_has_a_knowledge_check", "test_stage_of_a_lab")
COURSE = read_course()


def pytest_report_header() -> str:
    """Name the part of the course whose mistakes are tested."""
    part = _part()
    if part is None:
        return "labs: repeated solutions and mistakes of every step"
    steps = ", ".join(step.id for step in COURSE.steps[part::PARTS])
    return f"labs: repeated solutions and mistakes of the steps {steps}; FULL=1 has all"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the other parts; skip labs with Docker if there is no engine."""
    part = _part()
    others = [item for item in items if part is not None and _is_of_another_part(item, part)]
    if others:
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)
    with_docker = {lab.number for lab in COURSE.labs if lab.docker}
    found = [item for item in items if _labs(item) & with_docker]
    if not found or not (problem := find_docker_problem()):
        return
    # FAIL_ON_SKIP makes this a failure.
    reason = f"this lab needs Docker: {problem}"
    for item in found:
        item.add_marker(pytest.mark.skip(reason=reason))


def _part() -> int | None:
    """Return the part that the commit chooses; None for all, also without a repository."""
    if os.environ.get("FULL"):
        return None
    number = commit_number()
    return None if number is None else number % PARTS


def _is_of_another_part(item: pytest.Item, part: int) -> bool:
    if not item.name.startswith(ROTATING):
        return False
    step = next(value for value in _parameters(item) if isinstance(value, Step))
    return COURSE.steps.index(step) % PARTS != part


def _labs(item: pytest.Item) -> set[int]:
    """Return the numbers of the labs whose checks a test runs."""
    if item.name.startswith(WITHOUT_ENGINE):
        return set()
    steps = {each.lab for each in _parameters(item) if isinstance(each, Step)}
    return steps | {each.number for each in _parameters(item) if isinstance(each, Lab)}


def _parameters(item: pytest.Item) -> list[object]:
    parameters = getattr(item, "callspec", None)
    return list(parameters.params.values()) if parameters else []
