"""Performance targets, compared with the results."""

from bench.growth import DEEPER, Cost, grown
from bench.reporting.tables import Results, pairs, table

GOAL_RATE, FLOOR_RATE = 650, 400  # requests a second
GOAL_RATIO, FLOOR_RATIO = 0.5, 0.25
GOAL_P50 = 4.0  # ms
MOST_CALLS = 3


def targets(results: Results) -> str:
    """Return each target with its result."""
    found = {
        (before["scenario"], before["connections"]): (before, after)
        for before, after in pairs(results)
    }
    rows = []
    for name, what in (("thread", "Thread page"), ("threads", "The same, shared with nobody")):
        if (name, 16) in found:
            before, after = found[name, 16]
            rate, ratio = after["rate"], after["rate"] / max(before["rate"], 0.001)
            verdict = _verdict(rate, GOAL_RATE, FLOOR_RATE)
            goal = f"at least {GOAL_RATE}, floor {FLOOR_RATE}"
            rows.append((f"{what}, split, 16 connections", goal, f"{rate:,.0f} req/s", verdict))
            verdict = _verdict(ratio, GOAL_RATIO, FLOOR_RATIO)
            goal = f"at least {GOAL_RATIO}, floor {FLOOR_RATIO}"
            rows.append((f"{what}, split against monolith", goal, f"{ratio:.2f}", verdict))
        if (name, 1) in found:
            p50 = found[name, 1][1]["p50"]
            verdict = "reached" if p50 < GOAL_P50 else "missed"
            rows.append((f"{what}, p50 at 1 connection", "under 4 ms", f"{p50:.1f} ms", verdict))
    if growth := results.get("growth"):
        wrong = grown([Cost(**cost) for cost in growth])
        verdict = "missed: " + "; ".join(wrong) if wrong else "reached"
        goal = f"deepest at most {DEEPER} × the first, and flat"
        rows.append(("Any page of a list", goal, "see below", verdict))
    for one in results.get("capacity", []):
        if one["name"] == "Create a post":
            calls, writes = one["itself"]["calls"], one["itself"]["transactions"]
            fine = calls <= MOST_CALLS and writes == 1
            shown, verdict = f"{calls} calls, {writes} write", "reached" if fine else "missed"
            goal = f"at most {MOST_CALLS} calls, 1 write transaction"
            rows.append(("Creating a post", goal, shown, verdict))
    return table(("", "target", "measured", ""), rows, left=2)


def _verdict(value: float, goal: float, floor: float) -> str:
    if value >= goal:
        return "reached"
    return "floor reached" if value >= floor else "missed"
