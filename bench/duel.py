"""The same load on one side and the other in turn: A B A B."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench import usage, wrk
from bench.scenarios import Scenario
from bench.side import Side

CALM_SECONDS = 30.0


@dataclass
class Measured:
    """All rounds of one scenario with so many connections on one side."""

    scenario: str
    side: str
    connections: int
    loads: list[wrk.Load] = field(default_factory=list)
    cpu: list[Mapping[str, float]] = field(default_factory=list)
    """CPU milliseconds a request, by part; of a write also what its events cost after it."""

    def middle(self, name: str) -> float:
        """Give the median of a figure over the rounds."""
        return float(median(getattr(load, name) for load in self.loads))

    @property
    def cost(self) -> dict[str, float]:
        """Give the CPU milliseconds a request by part, the median of the rounds."""
        return {part: median(one[part] for one in self.cpu) for part in self.cpu[0]}

    def told(self) -> dict[str, Any]:
        """Give it as JSON."""
        figures = ("rate", "p50", "p95", "p99", "longest", "broken", "refused")
        return {
            "scenario": self.scenario,
            "side": self.side,
            "connections": self.connections,
            **{name: round(self.middle(name), 3) for name in figures},
            "cpu_ms": {part: round(spent, 3) for part, spent in self.cost.items()},
            "rounds": [asdict(load) for load in self.loads],
        }


def fight(
    sides: Sequence[Side],
    scenarios: Sequence[Scenario],
    connections: Sequence[int],
    *,
    seconds: float,
    rounds: int,
    told: Callable[[str], None],
) -> list[Measured]:
    """Measure everything; each round of a scenario goes to all sides before the next one."""
    groups = {side.name: usage.leaders(side.stack, side.parts) for side in sides}
    measured = []
    for scenario in scenarios:
        for side in sides:
            # Warm, before anything counts.
            wrk.run(side.url, scenario.requests, 16, max(1.0, seconds / 3), cookie=scenario.cookie)
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
            told(_line(scenario, pair))
    return measured


@dataclass(frozen=True)
class Burst:
    """One load: requests to an address, with so many connections, for so many seconds."""

    url: str
    scenario: Scenario
    connections: int
    seconds: float
    number: int


def _measure(groups: Mapping[int, str], burst: Burst) -> tuple[wrk.Load, Mapping[str, float]]:
    """Load one side; answers also the CPU milliseconds a request by part."""
    scenario = burst.scenario
    before = usage.cpu(groups)
    load = wrk.run(
        burst.url,
        scenario.requests,
        burst.connections,
        burst.seconds,
        cookie=scenario.cookie,
        seed=burst.number,
    )
    if scenario.writes:
        # What a write costs ends only when everybody has heard of it.
        usage.calm(groups, CALM_SECONDS)
    after = usage.cpu(groups)
    answered = max(1, load.requests)
    return load, {part: 1000 * (after[part] - before[part]) / answered for part in after}


def _line(scenario: Scenario, pair: Sequence[Measured]) -> str:
    told = [
        f"{one.side} {one.middle('rate'):7.0f}/s p50 {one.middle('p50'):6.1f} ms"
        f" p99 {one.middle('p99'):6.1f} ms cpu {sum(one.cost.values()):5.2f} ms"
        + (f" ERRORS {one.middle('broken') + one.middle('refused'):.0f}" if _wrong(one) else "")
        for one in pair
    ]
    ratio = pair[1].middle("rate") / max(pair[0].middle("rate"), 0.001) if len(pair) > 1 else 1
    return f"{scenario.name:<10} x{pair[0].connections:<3} {' | '.join(told)} | {ratio:.2f}"


def _wrong(one: Measured) -> bool:
    return any(load.broken or load.refused for load in one.loads)
