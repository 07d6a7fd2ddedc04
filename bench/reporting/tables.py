"""The results as tables of Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.side import MONOLITH, SPLIT

Results = Mapping[str, Any]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Return a table with `left` text columns, followed by numeric columns."""
    marks = ["---"] * left + ["---:"] * (len(head) - left)
    lines = [head, marks, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def loads(results: Results) -> str:
    """Return the load results of both sides, a line per number of connections."""
    rows = []
    for first, second in pairs(results):
        ratio = second["rate"] / first["rate"] if first["rate"] else 0
        wrong = sum(one["broken"] + one["refused"] for one in (first, second))
        rows.append(
            (
                results["titles"][first["scenario"]],
                str(first["connections"]),
                *(f"{one['rate']:,.0f}" for one in (first, second)),
                f"{ratio:.2f}",
                *(
                    f"{one['p50']:.1f} / {one['p95']:.1f} / {one['p99']:.1f}"
                    for one in (first, second)
                ),
                f"{wrong:.0f}",
            )
        )
    head = ("", "conn.", "req/s before", "after", "ratio", "ms before p50 / p95 / p99", "after")
    return table((*head, "errors"), rows)


def costs(results: Results, connections: int = 16) -> str:
    """Return the CPU time per request by process."""
    rows = []
    for first, second in pairs(results):
        if first["connections"] != connections:
            continue
        after = second["cpu_ms"]
        parts = sorted(after, key=lambda part: -after[part])
        shown = ", ".join(f"{part} {after[part]:.2f}" for part in parts if after[part] >= 0.05)
        before = sum(first["cpu_ms"].values())
        title = results["titles"][first["scenario"]]
        spent = before, sum(after.values())
        dollars = (f"{ms * 1e3 / 3600 * results['prices']['hour']['vcpu']:.2f}" for ms in spent)
        rows.append((title, shown, *(f"{ms:.2f}" for ms in spent), *dollars))
    return table(("", "after, by part", "before", "after", "$ before", "$ after"), rows, left=2)


def memory(results: Results) -> str:
    """Return the memory of each process after the load."""
    held = results["memory_mib"]
    parts = list(dict.fromkeys([*held[MONOLITH], *held[SPLIT]]))
    rows = [
        (part, *(f"{held[side][part]:.0f}" if part in held[side] else "" for side in held))
        for part in parts
    ]
    whole = tuple(f"**{sum(held[side].values()):.0f}**" for side in held)
    return table(("MiB", "before", "after"), [*rows, ("**all**", *whole)])


def growth(results: Results) -> str:
    """Return the cost of the first and deepest pages at each size."""
    rows = []
    for cost in results["growth"]:
        rows.append(
            (
                cost["page"] + (", deepest" if cost["deepest"] else ""),
                f"{cost['posts']:,}",
                *(str(cost[name]) for name in ("calls", "items")),
                f"{cost['read_units']:g}",
                f"{cost['services_ms']:.1f}",
                str(cost["statements"]),
                f"{cost['steps']:,}",
                f"{cost['monolith_ms']:.1f}",
            )
        )
    head = ("page", "posts", "calls", "items", "units", "ms", "statements", "steps", "ms")
    return table(head, sorted(rows, key=lambda row: row[0]))


def capacity(results: Results) -> str:
    """Return units per operation and dollars per million."""
    rows = [
        (
            one["name"],
            str(one["itself"]["calls"]),
            f"{one['itself']['read_units']:g}",
            f"{one['itself']['write_units']:g}",
            f"{one['events']['read_units']:g}",
            f"{one['events']['write_units']:g}",
            f"{one['dollars']:.2f}",
        )
        for one in results["capacity"]
    ]
    head = ("operation", "calls", "read", "write", "read, events", "write, events", "$ a million")
    return table(head, rows)


def availability(results: Results) -> str:
    """Return the availability in each case."""
    cases: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for one in results["availability"]:
        cases.setdefault((one["side"], one["case"]), {})[one["domain"]] = one
    rows = [
        (
            "before" if side == MONOLITH else "after",
            case,
            *(f"{one['good']:.0f} %, {one['p95']:.0f} ms" for one in found.values()),
        )
        for (side, case), found in cases.items()
    ]
    return table(("", "what happens", *next(iter(cases.values()))), rows, left=2)


def pairs(results: Results) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return pairs of results before and after the split."""
    after = {
        (one["scenario"], one["connections"]): one
        for one in results["loads"]
        if one["side"] == SPLIT
    }
    return [
        (one, after[one["scenario"], one["connections"]])
        for one in results["loads"]
        if one["side"] == MONOLITH
    ]
