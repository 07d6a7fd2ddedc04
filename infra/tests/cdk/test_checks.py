"""Acknowledged findings of cdk-nag, and synthesis without an installed Node."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.cdk import nag_suppressions
from infra.cdk.app import FLAGS, build
from infra.cdk.options import STATE_MACHINE, read_options
from infra.runner.config import ROOT

SYNTH_SECONDS = 60


def test_cdk_nag_finds_nothing_in_a_lab_that_accepts_a_shell(tmp_path: Path) -> None:
    """All other contexts are in `test_matrix`."""
    app = App(context=FLAGS, outdir=str(tmp_path))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    build(app, read_options({"extracted": "", "exec": "on"}))
    app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text(encoding="utf-8"))
    (nag,) = (each for each in report["pluginReports"] if each["pluginName"] == "AwsSolutions")
    assert nag["violations"] == []


def test_every_acknowledgement_has_a_reason_and_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its suppression, each finding occurs in at least one deployment."""
    needed = set(nag_suppressions.SUPPRESSIONS)
    assert all(len(each.reason) > 20 for each in needed)
    monkeypatch.setattr(nag_suppressions, "SUPPRESSIONS", ())
    contexts = (
        {"exec": "on", "strategy": "canary", "capacity": "ec2"},
        {"role": "LabRole"},
        {"capacity": "managed-instances", "moving": "users", "mover": STATE_MACHINE},
    )
    for place, context in enumerate(contexts):
        folder = tmp_path / str(place)
        app = App(context=FLAGS, outdir=str(folder))
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        build(app, read_options(context))
        with pytest.raises(RuntimeError, match="ValidationFailed"):
            app.synth()
        report: dict[str, Any] = json.loads((folder / "validation-report.json").read_text("utf-8"))
        found = {
            each["ruleName"].removeprefix("AwsSolutions-")
            for plugin in report["pluginReports"]
            for each in plugin["violations"]
        }
        needed = {each for each in needed if each.finding not in found}
    assert not needed


def test_templates_are_made_without_node_and_without_an_account(tmp_path: Path) -> None:
    before = _processor_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "infra.cdk", "extracted=users,threads"],
        cwd=ROOT,
        # Neither Node nor anything of AWS is to be found.
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "CDK_OUTDIR": str(tmp_path / "out")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Of a processor, so that it does not matter what else the machine does.
    assert _processor_seconds() - before < SYNTH_SECONDS
    made = {file.name.partition(".")[0] for file in (tmp_path / "out").glob("*.template.json")}
    assert {"forum-network", "forum-users", "forum-threads", "forum-monolith"} <= made
    assert "forum-posts" not in made
    assert "AWS_PROFILE" not in os.environ


def _processor_seconds() -> float:
    """Return how long processors worked for programs that this one started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
