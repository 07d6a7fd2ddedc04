"""Writes under kills at random moments: 1,000 of them, or 10,000 with FULL=1."""

import os
import time

from tests.faults.run import Run

WRITES = 10_000 if os.environ.get("FULL") else 1_000
SPAN = (1.0, 6.0)  # seconds between two kills
AT_MOST = 3600  # seconds


def test_writes_survive_random_kills(run: Run) -> None:
    began, writes = time.monotonic(), run.ledger.writes
    names = sorted(name for name in run.faults.named if name.startswith("kill "))
    kills = 0
    with run.load.running(think=0.02):
        while run.ledger.writes - writes < WRITES and not run.load.stop.is_set():
            assert time.monotonic() - began < AT_MOST
            time.sleep(run.rng.uniform(*SPAN))
            with run.faults.named[run.rng.choice(names)]():
                kills += 1
    run.check(f"{kills} random kills", began, writes, 0.0)
    assert run.ledger.writes - writes >= WRITES
