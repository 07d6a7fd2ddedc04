"""Grading, as TEACHING.md says it: a student's branch is fetched and checked again."""

import json
from pathlib import Path

import pytest

from labs import __main__ as labs
from labs.tests.repositories import copy_repository, git

MATCH = "infra/gateway/http_manager.py"


def run(capture: pytest.CaptureFixture[str], repository: Path, *arguments: str) -> tuple[int, str]:
    code = labs.main(list(arguments), repository)
    return code, capture.readouterr().out


def test_branch_of_a_student_is_graded_in_another_clone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    student = copy_repository(tmp_path / "student")
    teacher = tmp_path / "teacher"
    git(tmp_path, "clone", "--quiet", str(student), str(teacher))
    run(capfd, student, "start", "5")
    file = student / "var/labs/workspace" / MATCH
    source = file.read_text().replace(
        'raise NotImplementedError("Lab 5.1")', 'return {"path_separated_prefix": route.prefix}'
    )
    file.write_text(source)
    assert run(capfd, student, "check", "5.1")[0] == 0

    git(teacher, "fetch", "--quiet", str(student), "lab-5:lab-5")
    assert "Continued lab 5: Route." in run(capfd, teacher, "start", "5")[1]
    assert run(capfd, teacher, "check", "--all")[0] == 1
    results = json.loads(run(capfd, teacher, "report", "--format", "gradescope")[1])
    scores = {test["name"].partition(" ")[0]: test["score"] for test in results["tests"]}
    assert (scores["5.1"], scores["5.2"]) == (10, 0)
