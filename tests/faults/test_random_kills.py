"""Writes while domains move and parts are killed, behind a DynamoDB that refuses as AWS does.

2,000 writes, or 10,000 with FULL=1. In the end each acknowledged write is there once, nobody who
was erased is shown or stored, no move is unfinished, and every copy equals its owner's record.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from infra import stages
from infra.runner.config import DATASTORE, ROOT
from infra.runner.free_port import free_port
from tests.extraction.forum import MovingForum
from tests.faults.conftest import GENEROUS
from tests.support.harness import Stack
from tests.support.plugins.measurements import MEASURED
from tests.support.refusing_dynamodb import KINDS, RATES, RefusingProcess, running

WRITES = 10_000 if os.environ.get("FULL") else 2_000
AT_MOST = 3000 if os.environ.get("FULL") else 900  # seconds
SETTLE_SECONDS = 600 if os.environ.get("FULL") else 180
"""Each move publishes the events of some minutes again, and killed workers left a backlog."""
MEMBERS = 8
MOST_KILLS = 6  # per move
COMPONENTS = (stages.MONOLITH, *stages.DOMAINS)
KILLED = (*COMPONENTS, *(f"{component}-worker" for component in COMPONENTS), DATASTORE)


@dataclass
class Storm:
    """A forum, and the proxy in front of its Dynoxide."""

    forum: MovingForum
    proxy: RefusingProcess


@pytest.fixture
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """Run the full split; SEED repeats a run's random choices."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().getrandbits(32))
    sys.stdout.write(f"SEED={seed} repeats the choices\n")
    port = free_port()
    environment = {**GENEROUS, "PROXY_PORTS": f"{DATASTORE}={port}"}
    stack = Stack(
        frozenset(stages.DOMAINS), tmp_path_factory.mktemp("storm"), environment, restart=True
    )
    with running(port, stack.config.url(DATASTORE), seed) as proxy:
        proxy.set_rates({})  # the tables are created first
        with stack:
            forum = MovingForum(stack, seed, MEMBERS)
            forum.crowd.prepare()
            yield Storm(forum, proxy)


def test_writes_survive_random_kills_and_moves(
    storm: Storm, record_property: Callable[[str, object], None]
) -> None:
    forum, proxy = storm.forum, storm.proxy
    began, start = time.monotonic(), forum.ledger.writes
    proxy.set_rates(RATES)
    try:
        with forum.people(think=0.02):
            while forum.ledger.writes - start < WRITES and not forum.crowd.stop.is_set():
                assert time.monotonic() - began < AT_MOST, f"seed {forum.seed}: too slow"
                _move(forum)
        if not forum.stack.config.extracted:
            _move(forum)
    finally:
        seconds = time.monotonic() - began
        record_property(MEASURED, f"random kills: {summary(storm, start)}, {seconds:.0f} s")
    struck = proxy.struck()
    proxy.set_rates({})

    forum.prove(SETTLE_SECONDS)
    assert forum.ledger.writes - start >= WRITES
    assert forum.stack.config.moving == frozenset()
    assert forum.stack.query("SELECT domain FROM domains WHERE state <> 'settled'") == []
    found = reconcile(forum.stack)
    assert "No difference." in found, f"seed {forum.seed}:\n{found}"
    assert forum.ledger.erased
    assert sum(moved.kills for moved in forum.moves) > len(forum.moves)
    assert set(struck) == set(KINDS), "each kind of refusal has struck"
    odd = [one for one in forum.crowd.records.since(began) if one.status and not one.problem]
    assert not odd, f"seed {forum.seed}: errors that are no problem+json: {odd[:5]}"


def _move(forum: MovingForum) -> None:
    domain = forum.rng.choice(stages.DOMAINS)
    what = "reintegrate" if domain in forum.stack.config.extracted else "extract"
    forum.move_under_kills(what, domain, KILLED, MOST_KILLS)


def summary(storm: Storm, start: int) -> str:
    """Return what happened, in a line."""
    forum, struck = storm.forum, storm.proxy.struck()
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(struck.items()))
    kills = sum(moved.kills for moved in forum.moves)
    names = Counter(moved.name for moved in forum.moves)
    moves = ", ".join(f"{number} {name}" for name, number in sorted(names.items()))
    return (
        f"{forum.ledger.writes - start} acknowledged writes, {len(forum.ledger.erased)} erasures,"
        f" {kills} kills, {len(forum.moves)} moves ({moves}), {struck.total()} refusals ({kinds});"
        f" SEED={forum.seed}"
    )


def reconcile(stack: Stack) -> str:
    """Compare every copy with its owner's record; return what was found."""
    done = subprocess.run(
        [sys.executable, "-m", "recovery", "reconcile"],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return done.stdout + done.stderr
