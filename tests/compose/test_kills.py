"""A crash of any container under load: the engine starts it again, and nothing is lost."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra import stages
from tests.compose import engine
from tests.compose.stack import Composed
from tests.faults.conftest import GENEROUS, RUNS
from tests.faults.mesh import Mesh
from tests.faults.run import Run

COMPONENTS = (stages.MONOLITH, *stages.DOMAINS)
WORKERS = tuple(f"{component}-worker" for component in COMPONENTS)
PARTS = ("gateway", *COMPONENTS, *WORKERS, "postgres", "dynamodb", "bus", "bus-recovery")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run the full split, with people who read and write."""
    folder = tmp_path_factory.mktemp("kills")
    with Composed(frozenset(stages.DOMAINS), folder, GENEROUS) as stack:
        made = Run(stack, Mesh({}), 1)
        RUNS.append(made)
        made.load.prepare()
        yield made


@pytest.mark.parametrize("part", PARTS)
def test_crash_loses_nothing(run: Run, part: str) -> None:
    @contextmanager
    def crash() -> Iterator[None]:
        before = run.stack.pid(part)
        run.stack.kill(part)
        run.stack.until(lambda: run.stack.pid(part) not in {0, before}, f"{part} is started again")
        run.stack.wait_for(part)
        yield

    assert run.endure(f"kill {part}", crash).writes > 0


def test_crash_of_everything_at_once_loses_nothing(run: Run) -> None:
    @contextmanager
    def crash() -> Iterator[None]:
        pids = [str(run.stack.pid(part)) for part in PARTS]
        engine.as_root_of_the_machine(f"kill -9 {' '.join(pids)}")
        for part in PARTS:
            run.stack.until(lambda part=part: run.stack.pid(part) > 0, f"{part} is started again")
            run.stack.wait_for(part)
        yield

    run.endure("kill everything at once", crash)


def test_queued_messages_survive_a_crash_of_the_bus(run: Run) -> None:
    """With its readers down, messages pile up in queues that only the bus's memory holds."""

    @contextmanager
    def crash() -> Iterator[None]:
        for worker in ("posts-worker", "threads-worker", "monolith-worker"):
            run.stack.stop_process(worker)
        time.sleep(4)
        run.stack.kill("bus")
        run.stack.wait_for("bus")
        for worker in ("posts-worker", "threads-worker", "monolith-worker"):
            run.stack.start_process(worker)
        yield

    assert run.endure("kill bus, its readers down", crash).writes > 0
