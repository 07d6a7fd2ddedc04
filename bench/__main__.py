"""Run the benchmarks with `python -m bench`; results are printed and stored in var/bench.

QUICK=1 measures less, in under three minutes. PARTS selects among loads, availability, growth and
capacity; ONLY selects load scenarios; ROUNDS, SECONDS and CONNECTIONS (1,16,64) configure the load.
RECORD=1 writes the results into docs/performance.md; parts that are not measured stay unchanged.
"""

import logging
import os
import platform
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import availability, capacity, comparison, growth, usage, wrk
from bench.data.content import Content, Size
from bench.reporting import report
from bench.scenarios import Scenarios
from bench.side import MONOLITH, SPLIT, Side
from infra import local_environment, session_keys
from infra.runner.config import var_folder

WORKERS = 2  # gunicorn's, of each component
PARTS = ("loads", "availability", "growth", "capacity")


@dataclass(frozen=True)
class Shape:
    """Extent of the measurements."""

    size: Size
    connections: tuple[int, ...]
    seconds: float
    rounds: int
    grown: tuple[int, ...]
    watched: float  # seconds of each availability case
    only: str = ""  # scenarios


FULL = Shape(
    Size(users=1000, threads=5000, posts=50_000, longest=10_000, pages=500),
    connections=(1, 16, 64),
    seconds=4,
    rounds=3,
    grown=(100, 1000, 10_000, 100_000),
    watched=10,
)
QUICK = Shape(
    Size(users=100, threads=300, posts=3000, longest=1000, pages=50),
    connections=(1, 16),
    seconds=1,
    rounds=1,
    grown=(100, 1000),
    watched=2,
    only="thread,threads,signed-in,api-first,sign-in,post",
)


def main() -> int:
    """Run the selected measurements."""
    try:
        wrk.ensure()
    except wrk.WrkError as error:
        print(error, file=sys.stderr)
        return 1
    environ = os.environ
    shape = _shape(environ)
    folder = var_folder(environ) / "bench"
    parts = [part for part in PARTS if part in (environ.get("PARTS") or ",".join(PARTS)).split(",")]
    began = time.monotonic()
    # Components in this process would log their requests.
    logging.getLogger("access").setLevel(logging.ERROR)
    results = report.read(folder, PARTS)
    results["about"] |= dict.fromkeys(parts, _about(shape))
    results["prices"] = capacity.prices()
    if "growth" in parts:
        results["growth"] = growth.as_json(growth.measure(shape.grown))
    if "capacity" in parts:
        prices = results["prices"]["million"]
        results["capacity"] = [
            asdict(one) | {"dollars": one.dollars(prices)} for one in capacity.measure()
        ]
    if "loads" in parts or "availability" in parts:
        _load(results, shape, folder, parts)
    files = report.write(results, folder)
    print(f"\n{report.markdown(results)}")
    if environ.get("RECORD", "0") not in ("", "0"):
        files += report.record(results)
    print(f"Measured in {time.monotonic() - began:.0f} s. Written: {', '.join(map(str, files))}")
    wrong = growth.grown([growth.Cost(**cost) for cost in results["growth"]])
    for line in wrong:
        print(f"It grew: {line}", file=sys.stderr)
    return 1 if wrong else 0


def _shape(environ: Mapping[str, str]) -> Shape:
    shape = QUICK if environ.get("QUICK", "0") not in ("", "0") else FULL
    given = environ.get("CONNECTIONS", "")
    return Shape(
        shape.size,
        tuple(map(int, given.split(","))) if given else shape.connections,
        float(environ.get("SECONDS") or shape.seconds),
        int(environ.get("ROUNDS") or shape.rounds),
        shape.grown,
        shape.watched,
        environ.get("ONLY") or shape.only,
    )


def _load(results: dict[str, Any], shape: Shape, folder: Path, parts: list[str]) -> None:
    session_keys.ensure_keys(folder / "secrets")
    content = Content(shape.size)
    with ExitStack() as stack:
        sides = [
            stack.enter_context(Side(name, folder / name, folder / "secrets", WORKERS))
            for name in (MONOLITH, SPLIT)
        ]
        for side in sides:
            side.fill(content)
        scenarios = Scenarios(content, folder / "secrets")
        if "loads" in parts:
            wanted = shape.only.split(",") if shape.only else None
            chosen = [one for one in scenarios.all() if not wanted or one.name in wanted]
            measured = comparison.compare(
                sides,
                chosen,
                shape.connections,
                seconds=shape.seconds,
                rounds=shape.rounds,
                log=_say,
            )
            results["titles"] = {one.name: one.title for one in chosen}
            results["loads"] = [one.as_json() for one in measured]
            for side in sides:
                held = usage.memory(usage.leaders(side.stack, side.parts))
                results["memory_mib"][side.name] = held
        if "availability" in parts:
            seen = availability.measure(sides, scenarios, shape.watched, _say)
            results["availability"] = availability.as_json(seen)


def _about(shape: Shape) -> str:
    """Return a description of the conditions of a measurement."""
    size, busy = shape.size, os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores (load {busy:.1f} before it began),"
        f" Python {platform.python_version()}, {WORKERS} gunicorn workers a component;"
        f" {size.users:,} people, {size.threads:,} threads, {size.posts:,} posts;"
        f" the best of {shape.rounds} × {shape.seconds:g} s, before and after in turn."
    )


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    local_environment.isolate()
    sys.exit(main())
