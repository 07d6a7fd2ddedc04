"""Every stage, environment and strategy, checked by cfn-lint, cdk-nag and checkov.

Each context is synthesized once, with cdk-nag's rules. The two programs run once, over the
templates that differ: most contexts share their network, edge and data.
"""

import hashlib
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from infra.cdk.app import FLAGS, build
from infra.cdk.options import (
    CAPACITIES,
    ENVIRONMENTS,
    LAB,
    PRODUCTION,
    STATE_MACHINE,
    STRATEGIES,
    read_options,
)
from infra.runner.config import ROOT
from infra.tests.cdk.checkov_skips import SKIPS, Skip
from infra.tests.cdk.templates import CERTIFICATE, EVERYTHING

STAGES = {"none": "", "users": "users", "all": EVERYTHING}
CONTEXTS = {
    f"{stage}-{environment}-{strategy}": {
        "extracted": STAGES[stage],
        "environment": environment,
        "strategy": strategy,
    }
    for stage, environment, strategy in product(STAGES, ENVIRONMENTS, STRATEGIES)
}
CONTEXTS |= {
    f"moving-{environment}": {"extracted": "", "moving": EVERYTHING, "environment": environment}
    for environment in ENVIRONMENTS
}
CONTEXTS |= {
    f"state-machine-{context['environment']}": {**context, "mover": STATE_MACHINE}
    for name, context in CONTEXTS.items()
    if name.startswith("moving-")
}
CONTEXTS["role"] = {"extracted": EVERYTHING, "environment": LAB, "role": "LabRole"}
CONTEXTS |= {
    f"{capacity}-{environment}": {
        "extracted": EVERYTHING,
        "environment": environment,
        "capacity": capacity,
    }
    for capacity, environment in product(CAPACITIES[1:], ENVIRONMENTS)
}
CHECKOV = Path(sys.prefix) / "cloud-tools" / "bin" / "checkov"
# W3005: the CDK says twice what comes first, which does no harm.
# W6001: the migration's outputs repeat values of the network, for its program.
IGNORED = ("W3005", "W6001")
LINT = ("--regions", "eu-central-1", "--ignore-checks", *IGNORED, "--format", "parseable", "--")

Failure = tuple[str, str, str]
"""A check, the type of the resource and the environment."""


class Matrix:
    """All contexts: what cdk-nag says of each, and the distinct templates with their origin."""

    def __init__(self, folder: Path) -> None:
        self.violations: dict[str, list[Any]] = {}
        self.files: dict[str, Path] = {}
        self.environments: defaultdict[str, set[str]] = defaultdict(set)
        self._folder = folder
        for name, context in CONTEXTS.items():
            self._synthesize(name, dict(context))

    def _synthesize(self, name: str, context: dict[str, str]) -> None:
        environment = context["environment"]
        if environment == PRODUCTION:
            context["certificate"] = CERTIFICATE
        outdir = self._folder / "assemblies" / name
        app = App(context=FLAGS, outdir=str(outdir))
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        build(app, read_options(context))
        try:
            stacks = app.synth().stacks
        except RuntimeError as error:
            if "ValidationFailed" not in str(error):
                raise
            stacks = []
        report = json.loads((outdir / "validation-report.json").read_text(encoding="utf-8"))
        self.violations[name] = [
            (each["ruleName"], [found["constructPath"] for found in each["violatingConstructs"]])
            for plugin in report["pluginReports"]
            if plugin["pluginName"] == "AwsSolutions"
            for each in plugin["violations"]
        ]
        for stack in stacks:
            content = json.dumps(stack.template, indent=1, sort_keys=True)
            digest = hashlib.sha256(content.encode()).hexdigest()
            if digest not in self.files:
                file = self._folder / "templates" / f"{name}-{stack.stack_name}.template.json"
                file.parent.mkdir(exist_ok=True)
                file.write_text(content, encoding="utf-8")
                self.files[digest] = file
            self.environments[self.files[digest].name].add(environment)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    return Matrix(tmp_path_factory.mktemp("matrix"))


@pytest.fixture(scope="module")
def failures(matrix: Matrix) -> set[Failure]:
    """Return the failed checks of checkov in all templates."""
    folder = next(iter(matrix.files.values())).parent
    options = ("--framework", "cloudformation", "--compact", "--quiet", "--skip-download")
    command = [str(CHECKOV), *options, "--output", "json", "--directory", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > len(matrix.files)
    return {
        (failed["check_id"], failed["resource"].partition(".")[0], environment)
        for failed in report["results"]["failed_checks"]
        for environment in matrix.environments[Path(failed["file_path"]).name]
    }


def skipped(skip: Skip) -> Iterator[Failure]:
    for environment in skip.environments:
        yield skip.check, skip.kind, environment


@pytest.mark.parametrize("name", CONTEXTS)
def test_cdk_nag_finds_nothing_without_a_reason(matrix: Matrix, name: str) -> None:
    assert matrix.violations[name] == []


def test_cfn_lint_finds_nothing(matrix: Matrix) -> None:
    files = sorted(map(str, matrix.files.values()))
    cfn_lint = str(Path(sys.executable).with_name("cfn-lint"))
    done = subprocess.run(
        [cfn_lint, *LINT, *files], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_checkov_finds_nothing_without_a_reason(failures: set[Failure]) -> None:
    assert failures - {failure for skip in SKIPS for failure in skipped(skip)} == set()


@pytest.mark.parametrize("skip", SKIPS, ids=lambda skip: f"{skip.check}-{skip.kind}")
def test_checkov_skip_has_a_reason_and_is_needed(failures: set[Failure], skip: Skip) -> None:
    assert len(skip.reason) > 20
    assert set(skipped(skip)) <= failures
