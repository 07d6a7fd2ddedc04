"""A stage with all three services, its network and a steady load, for every test of the suite."""

import os
import random
from collections.abc import Iterator

import pytest

from infra import stages
from tests.faults.mesh import Mesh
from tests.faults.run import HEADING, Run
from tests.support.harness import Stack

GENEROUS = {"SIGN_IN_LIMIT_PER_NAME": "1000000", "SIGN_IN_LIMIT_PER_ADDRESS": "1000000"}
BEHIND = (stages.MONOLITH, *stages.DOMAINS, "dynamodb", "bus")
"""The upstreams behind the fault proxy."""
RUNS: list[Run] = []


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run the full split behind a mesh; SEED repeats a run's random choices."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().getrandbits(32))
    stack = Stack(
        frozenset(stages.DOMAINS), tmp_path_factory.mktemp("stage"), GENEROUS, restart=True
    )
    behind = {part: stack.config.ports[part] for part in BEHIND}
    mesh = Mesh(behind)
    stack.environment["PROXY_PORTS"] = ",".join(
        f"{part}={port}" for part, port in mesh.ways.items()
    )
    with mesh.running(tmp_path_factory.mktemp("mesh")), stack:
        made = Run(stack, mesh, seed)
        RUNS.append(made)
        made.load.prepare()
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the report of each fault, and the seed that repeats the run."""
    for made in RUNS:
        terminalreporter.section("faults")
        terminalreporter.write_line(HEADING)
        for report in made.reports:
            terminalreporter.write_line(report.line())
        total = sum(report.writes for report in made.reports)
        failed = sum(len(report.failures) for report in made.reports)
        terminalreporter.write_line(
            f"{total} acknowledged writes, {failed} requests failed on the way;"
            f" SEED={made.seed} repeats the choices."
        )
