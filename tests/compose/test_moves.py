"""Domains move out of a forum in containers and back, while people use it."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from extraction.deployment.compose_project import OVERRIDE
from tests.compose.movable import ALONE, SHARED, Movable
from tests.faults.conftest import RUNS
from tests.faults.mesh import Mesh
from tests.faults.run import Run

THINK_SECONDS = 0.4
HELD = re.compile(r"writes were frozen for (\d+\.\d+) s")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Start the monolith alone, and let people open accounts."""
    with Movable(tmp_path_factory.mktemp("moves")) as stack:
        stack.now()
        made = Run(stack, Mesh({}), 1)
        RUNS.append(made)
        made.load.prepare()
        yield made


def move(run: Run, what: str, domain: str, extracted: set[str], record_property: Any) -> str:
    """Move a domain under load, and check that nothing was lost; return the output."""
    assert isinstance(run.stack, Movable)
    began, writes = time.monotonic(), run.ledger.writes
    with run.load.running(THINK_SECONDS):
        output = run.stack.make(what, domain, "--soak", "2")
        time.sleep(1)
    run.stack.now(*extracted)
    held = HELD.search(output)
    assert held, output
    record_property("table", ("seconds of a hold", f"{what} {domain}", held[1]))
    assert run.ledger.writes > writes
    if extracted:
        run.check(f"{what} {domain}", began, writes, 0)
    else:
        # The monolith alone exchanges no events.
        assert not run.truth.wrong()
    failed = {one.status for one in run.load.records.since(began) if one.status >= 500}
    assert failed <= {503}, "nothing but a hold that took too long"
    assert {name: owner for name, owner in run.stack.owners().items() if owner == name} == {
        name: name for name in extracted
    }
    for member in run.load.members:
        me = member.client.ask("GET", "/api/users/me")
        assert me is not None
        assert me.json()["id"] == member.client.id, "the session goes on"
    return output


def test_posts_are_extracted_while_people_write(run: Run, record_property: Any) -> None:
    assert isinstance(run.stack, Movable)
    assert run.stack.running() == ALONE
    before = {name: run.stack.pid(name) for name in ("gateway", "monolith", "postgres")}
    move(run, "extract", "posts", {"posts"}, record_property)
    assert run.stack.running() == ALONE | SHARED | {"posts", "posts-worker"}
    after = {name: run.stack.pid(name) for name in ("gateway", "monolith", "postgres")}
    assert after == before, "nothing was started anew"


def test_users_are_extracted_next(run: Run, record_property: Any) -> None:
    move(run, "extract", "users", {"posts", "users"}, record_property)


def test_restart_keeps_the_owners(run: Run) -> None:
    assert isinstance(run.stack, Movable)
    began, writes = time.monotonic(), run.ledger.writes
    run.stack.compose("restart")
    expected = {"users": "users", "threads": "monolith", "posts": "posts"}
    run.stack.until(lambda: run.stack.owners() == expected, "everybody answers")
    assert "owned by users" in run.stack.make("status")
    run.check("restart", began, writes, 0)


def test_posts_are_reintegrated(run: Run, record_property: Any) -> None:
    assert isinstance(run.stack, Movable)
    move(run, "reintegrate", "posts", {"users"}, record_property)
    assert run.stack.running() == ALONE | SHARED | {"users", "users-worker"}


def test_up_with_another_value_of_extracted_changes_nothing(run: Run) -> None:
    assert isinstance(run.stack, Movable)
    parts = ("gateway", "monolith", "postgres", "users", "users-worker", "bus-recovery")
    before = {name: run.stack.pid(name) for name in parts}
    run.stack.environment["EXTRACTED"] = "users,threads,posts"
    run.stack.insist("up", "--wait", "--no-build")
    assert {name: run.stack.pid(name) for name in parts} == before
    assert run.stack.owners() == {"users": "users", "threads": "monolith", "posts": "monolith"}


def test_down_and_up_keeps_the_stage(run: Run) -> None:
    assert isinstance(run.stack, Movable)
    began, writes = time.monotonic(), run.ledger.writes
    run.stack.compose("down")
    assert run.stack.running() == set(), "plain `down` finds all of it"
    # Not the value that the forum began with.
    run.stack.environment["EXTRACTED"] = "threads"
    run.stack.insist("up", "--wait", "--no-build")
    provisioned = {"provision"}
    assert run.stack.running() == ALONE | SHARED | provisioned | {"users", "users-worker"}
    assert run.stack.owners() == {"users": "users", "threads": "monolith", "posts": "monolith"}
    run.check("down and up", began, writes, 0)


def test_last_reintegration_leaves_the_monolith_alone(run: Run, record_property: Any) -> None:
    assert isinstance(run.stack, Movable)
    run.stack.environment["EXTRACTED"] = ""
    move(run, "reintegrate", "users", set(), record_property)
    assert run.stack.running() == ALONE
    assert not (run.stack.folder / OVERRIDE).exists()


def test_deleted_data_of_a_moved_forum_leaves_a_new_one(run: Run) -> None:
    assert isinstance(run.stack, Movable)
    run.stack.make("extract", "posts", "--soak", "0")
    run.stack.insist("down", "--volumes")
    run.stack.insist("up", "--wait", "--no-build")
    assert run.stack.owners() == {"users": "monolith", "threads": "monolith", "posts": "posts"}
    answer = requests.get(f"{run.stack.base_url}/api/posts", timeout=20)
    assert (answer.status_code, answer.json()["items"]) == (200, [])
    # It moves on like any other.
    run.stack.make("reintegrate", "posts", "--soak", "0")
    assert run.stack.running() == ALONE
    assert not (run.stack.folder / OVERRIDE).exists()
