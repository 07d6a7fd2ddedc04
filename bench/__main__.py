"""`python -m bench`: measures, prints, and keeps what it found under var/bench.

QUICK=1 measures less, in under three minutes. ONLY=thread,list picks scenarios.
"""

import os
import sys
import time

from bench import wrk
from bench.content import Content, Size
from bench.duel import fight
from bench.scenarios import Scenarios
from bench.side import MONOLITH, SPLIT, Side
from infra.local import keys
from infra.local.settings import var_folder

FULL = Size(users=1000, threads=5000, posts=50_000, longest=10_000)
QUICK = Size(users=100, threads=500, posts=5000, longest=1000)


def main() -> int:
    """Measure everything that is asked for."""
    quick = os.environ.get("QUICK", "") not in ("", "0")
    folder = var_folder(os.environ) / "bench"
    try:
        wrk.ensure()
    except wrk.WrkError as error:
        print(error, file=sys.stderr)
        return 1
    content = Content(QUICK if quick else FULL)
    keys.ensure(folder / "secrets")
    began = time.monotonic()
    with (
        Side(MONOLITH, folder / MONOLITH, folder / "secrets", 2) as before,
        Side(SPLIT, folder / SPLIT, folder / "secrets", 2) as after,
    ):
        sides = (before, after)
        for side in sides:
            side.fill(content)
        scenarios = Scenarios(content, folder / "secrets").all()
        if only := os.environ.get("ONLY"):
            scenarios = [one for one in scenarios if one.name in only.split(",")]
        fight(
            sides,
            scenarios,
            tuple(map(int, os.environ.get("CONNECTIONS", "1,16,64").split(","))),
            seconds=float(os.environ.get("SECONDS", "2" if quick else "5")),
            rounds=int(os.environ.get("ROUNDS", "1" if quick else "2")),
            told=lambda line: print(line, flush=True),
        )
    print(f"Measured in {time.monotonic() - began:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
