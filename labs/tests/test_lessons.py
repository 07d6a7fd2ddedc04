"""Lessons fit the repository: starts fail, the solution passes, mistakes are diagnosed."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from infra import stages
from labs.course import Lab, Step, read_course
from labs.outcome import CheckInconclusive, StepFailed
from labs.tests.repositories import copy_repository, git
from labs.workspace import Workspace

COURSE = read_course()
INCONCLUSIVE = 5  # attempts
MISTAKES = [(step, patch) for step in COURSE.steps for patch in step.mistakes]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("labs") / "repository")


@pytest.fixture(scope="module")
def workspace(repository: Path) -> Workspace:
    return Workspace(repository.parent / "workspace", repository)


@pytest.fixture
def solution(repository: Path) -> Iterator[Workspace]:
    yield Workspace(repository, repository)
    git(repository, "checkout", "--quiet", ".")
    git(repository, "clean", "--quiet", "--force", "-d")


def check(step: Step, workspace: Workspace) -> None:
    """Check a step, again as long as a busy machine lets no fault strike."""
    for _ in range(INCONCLUSIVE - 1):
        with suppress(CheckInconclusive):
            return step.check(workspace)
    return step.check(workspace)


def diagnose(step: Step, workspace: Workspace) -> str:
    with pytest.raises(StepFailed) as failure:
        check(step, workspace)
    return failure.value.diagnosis.name


@pytest.mark.parametrize("lab", COURSE.labs, ids=lambda lab: str(lab.number))
def test_start_state_fails_each_step(lab: Lab, workspace: Workspace) -> None:
    assert workspace.start(lab.number, lab.removals)
    for step in lab.steps:
        if step.first_failure:
            assert diagnose(step, workspace) == step.first_failure
        else:
            check(step, workspace)


@pytest.mark.parametrize("step", COURSE.steps, ids=lambda step: step.id)
def test_solution_passes_twice(step: Step, solution: Workspace) -> None:
    # Only a lab without counterpart in the repository carries a solution.
    if (patch := step.folder.with_name("solution.patch")).exists():
        git(solution.folder, "apply", str(patch))
    check(step, solution)
    check(step, solution)


@pytest.mark.parametrize(
    ("step", "patch"), MISTAKES, ids=[f"{step.id}-{patch.stem}" for step, patch in MISTAKES]
)
def test_mistake_gets_its_diagnosis(step: Step, patch: Path, solution: Workspace) -> None:
    git(solution.folder, "apply", str(patch))
    assert diagnose(step, solution) == patch.stem.partition(".")[0]


@pytest.mark.parametrize("step", COURSE.steps, ids=lambda step: step.id)
def test_step_is_complete(step: Step) -> None:
    assert step.text.startswith(f"# {step.id} {step.title}\n")
    assert len(step.hints) == len(set(step.hints)) == 3
    assert step.reason.strip()
    assert 5 <= step.minutes <= 60
    # Where nothing is written, there are no mistakes.
    assert (2 if step.first_failure else 0) <= len(step.mistakes) <= 5


@pytest.mark.parametrize("lab", COURSE.labs, ids=lambda lab: str(lab.number))
def test_lab_has_a_knowledge_check(lab: Lab) -> None:
    assert 3 <= len(lab.questions) <= 7
    for question in lab.questions:
        assert 3 <= len(question.choices) == len(set(question.choices)) <= 4
        assert question.because
    # Readers would learn a place instead of an answer.
    assert len({question.right for question in lab.questions}) > 1


@pytest.mark.parametrize("lab", COURSE.labs, ids=lambda lab: str(lab.number))
def test_stage_of_a_lab_exists(lab: Lab) -> None:
    assert lab.stage in {stages.stage_name(extracted) for extracted in stages.all_stages()}
