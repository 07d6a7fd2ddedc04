"""Comparison of both sides under the same load, alternating: A B A B."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench import usage, wrk
from bench.scenarios import Scenario
from bench.side import Side
from infra.api_document import session_cookie

CALM_SECONDS = 30.0


@dataclass
class Measured:
    """All rounds of one scenario on one side, with a number of connections."""

    scenario: str
    side: str
    connections: int
    loads: list[wrk.LoadResult] = field(default_factory=list)
    cpu: list[Mapping[str, float]] = field(default_factory=list)
    """CPU milliseconds per request by process; for a write, including its events."""

    @property
    def best(self) -> wrk.LoadResult:
        """The round with the highest rate: other work of the machine can only lower it."""
        return max(self.loads, key=lambda load: load.rate)

    @property
    def cost(self) -> Mapping[str, float]:
        """CPU milliseconds per request by process, from the round with the lowest total."""
        return min(self.cpu, key=lambda one: sum(one.values()))

    def wrong(self, name: str) -> int:
        """Return the number of `broken` or `refused` requests over all rounds."""
        return sum(getattr(load, name) for load in self.loads)

    def as_json(self) -> dict[str, Any]:
        """Return the results as JSON."""
        figures = ("rate", "p50", "p95", "p99", "longest")
        return {
            "scenario": self.scenario,
            "side": self.side,
            "connections": self.connections,
            **{name: round(getattr(self.best, name), 3) for name in figures},
            **{name: self.wrong(name) for name in ("broken", "refused")},
            "cpu_ms": {part: round(spent, 3) for part, spent in self.cost.items()},
            "rounds": [asdict(load) for load in self.loads],
        }


def compare(
    sides: Sequence[Side],
    scenarios: Sequence[Scenario],
    connections: Sequence[int],
    *,
    seconds: float,
    rounds: int,
    log: Callable[[str], None],
) -> list[Measured]:
    """Measure everything; each round of a scenario goes to all sides before the next one."""
    groups = {side.name: usage.leaders(side.stack, side.parts) for side in sides}
    measured = []
    for scenario in scenarios:
        for side in sides:
            # Warm-up, not counted.
            cookie = session_cookie(side.url) if scenario.cookie else ""
            wrk.run(side.url, scenario.requests, 16, max(1.0, seconds / 3), cookie=cookie)
            if scenario.writes:
                usage.calm(groups[side.name], CALM_SECONDS)
        for count in connections:
            pair = [Measured(scenario.name, side.name, count) for side in sides]
            for number in range(rounds):
                for side, one in zip(sides, pair, strict=True):
                    load, spent = _measure(
                        groups[side.name], Burst(side.url, scenario, count, seconds, number)
                    )
                    one.loads.append(load)
                    one.cpu.append(spent)
            measured += pair
            log(_line(scenario, pair))
    return measured


@dataclass(frozen=True)
class Burst:
    """One load run: requests to a URL, with a number of connections, for some seconds."""

    url: str
    scenario: Scenario
    connections: int
    seconds: float
    number: int


def _measure(groups: Mapping[int, str], burst: Burst) -> tuple[wrk.LoadResult, Mapping[str, float]]:
    """Load one side; also return the CPU milliseconds per request by process."""
    scenario = burst.scenario
    before = usage.cpu(groups)
    load = wrk.run(
        burst.url,
        scenario.requests,
        burst.connections,
        burst.seconds,
        cookie=session_cookie(burst.url) if scenario.cookie else "",
        seed=burst.number,
    )
    if scenario.writes:
        # The cost of a write includes the processing of its events.
        usage.calm(groups, CALM_SECONDS)
    after = usage.cpu(groups)
    answered = max(1, load.requests)
    return load, {part: 1000 * (after[part] - before[part]) / answered for part in after}


def _line(scenario: Scenario, pair: Sequence[Measured]) -> str:
    shown = [
        f"{one.side} {one.best.rate:7.0f}/s p50 {one.best.p50:6.1f} ms"
        f" p99 {one.best.p99:6.1f} ms cpu {sum(one.cost.values()):5.2f} ms"
        + (f" ERRORS {wrong}" if (wrong := one.wrong("broken") + one.wrong("refused")) else "")
        for one in pair
    ]
    ratio = pair[-1].best.rate / max(pair[0].best.rate, 0.001)
    return f"{scenario.name:<10} x{pair[0].connections:<3} {' | '.join(shown)} | {ratio:.2f}"
