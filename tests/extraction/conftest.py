"""A forum that begins as the monolith alone, with people in it."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.extraction.forum import HEADING, MovingForum
from tests.faults.conftest import GENEROUS
from tests.support.harness import Stack

FORUMS: list[MovingForum] = []


@pytest.fixture(scope="module")
def forum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MovingForum]:
    """Run the monolith alone; SEED repeats a run's random choices."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().getrandbits(32))
    environment = {**GENEROUS, "WEB_CONCURRENCY": "2"}
    stack = Stack(frozenset(), tmp_path_factory.mktemp("forum"), environment, restart=True)
    with stack:
        made = MovingForum(stack, seed)
        FORUMS.append(made)
        made.crowd.prepare()
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the report of each move, and the seed that repeats the run."""
    for made in FORUMS:
        terminalreporter.section("moves")
        terminalreporter.write_line(HEADING)
        for moved in made.moves:
            terminalreporter.write_line(moved.line())
        for one in made.failures(0)[:20]:
            terminalreporter.write_line(f"failed: {one}")
        terminalreporter.write_line(
            f"{made.members} people, {made.ledger.writes} acknowledged writes, none lost or"
            f" doubled where the test passed; SEED={made.seed} repeats the choices."
        )
