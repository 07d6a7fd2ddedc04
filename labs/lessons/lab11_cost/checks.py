"""Checks of lab 11: a page about a decision, beside what the templates and the bench show."""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

from labs.outcome import CheckNotRun, fail
from labs.workspace import SYNTHESIS_SECONDS, Workspace

FILE = "decision.md"
BENCH = "docs/performance.md"
COSTS = "docs/adr/0023-costs.md"
DECISION = "Decision"
FIGURES = 3  # that a decision gives, at least
_TOLERANCE = 0.01

Row = tuple[float, float]
"""A figure of the monolith, and the same of the services."""


def check_bill(workspace: Workspace) -> None:
    """Check the fixed costs of a month, computed from the templates."""
    page = _read_page(workspace)
    with ThreadPoolExecutor() as pool:
        before, after = pool.map(lambda extracted: _sums(workspace, extracted), ("", _ALL))
    rows = {
        f"{environment}, dollars a month": (before[environment], after[environment])
        for environment in ("lab running", "production")
    }
    why = "What has to run without a single request is the cost that a small forum really pays."
    _expect(page, rows, why, COSTS)


_ALL = "users,threads,posts"


def _sums(workspace: Workspace, extracted: str) -> dict[str, float]:
    command = ("-m", "infra.cdk.cost", f"extracted={extracted}")
    done = workspace.run(*command, seconds=SYNTHESIS_SECONDS)
    if done.returncode:
        raise CheckNotRun(done.stderr)
    lines = done.stdout.splitlines()
    names = re.split(r" {2,}", lines[0])[1:]
    sums = next(line for line in lines if line.startswith("together")).split()[1:]
    return dict(zip(names, map(float, sums), strict=True))


def check_requests(workspace: Workspace) -> None:
    """Check the CPU time of requests and the memory, which the bench recorded."""
    page = _read_page(workspace)
    bench = (workspace.folder / BENCH).read_text(encoding="utf-8")
    cpu = bench.partition("CPU milliseconds of a request")[2].partition("Memory after")[0]
    rows = {
        f"{request}, CPU milliseconds": _numbers(_cells(cpu, request)[1:3])
        for request in ("Thread page, shared with nobody", "Create a post")
    }
    rows["memory, MiB"] = _numbers(_cells(bench, "**all**")[0:2])
    why = "This is paid on each request, also by a forum with a hundred times the load."
    _expect(page, rows, why, BENCH)


def check_decision(workspace: Workspace) -> None:
    """Check what the split is good for, and that a decision gives its figures."""
    page = _read_page(workspace)
    bench = (workspace.folder / BENCH).read_text(encoding="utf-8")
    flooded = [_shares(bench, side, "sign-ins flooded") for side in ("before", "after")]
    rows = {
        "pages without error, a part dead, %": (
            _shares(bench, "before", "monolith dead")["pages"],
            _shares(bench, "after", "posts dead")["pages"],
        ),
        "threads without error, sign-ins flooded, %": (
            flooded[0]["threads"],
            flooded[1]["threads"],
        ),
        "users without error, sign-ins flooded, %": (flooded[0]["users"], flooded[1]["users"]),
    }
    why = "A split is bought for days on which something fails. On other days it only costs."
    _expect(page, rows, why, BENCH)
    text = page.partition(f"## {DECISION}")[2]
    table = {number for cells in _rows(page).values() for number in cells}
    given = table & {_number(word) for word in re.findall(r"[\d,.]*\d", text)}
    if len(given) < FIGURES:
        _fail(
            "no-figures",
            asked=f"the section ## {DECISION} of {FILE}",
            got=f"{len(given)} of the table's figures in it",
            expected=f"at least {FIGURES} of them, in the sentences that they are reasons for",
            why="A decision without figures is a taste. The next person can't tell when it ends.",
            page=BENCH,
        )


def _read_page(workspace: Workspace) -> str:
    try:
        return (workspace.folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        _fail(
            "no-page",
            asked=FILE,
            got="no such file",
            expected="a page with a table of three columns: what, monolith, services",
            why="A decision that is written down can be read again when its reasons have changed.",
            page=BENCH,
        )


def _expect(page: str, rows: Mapping[str, Row], why: str, document: str) -> None:
    given = _rows(page)
    for name, right in rows.items():
        asked = f"the row {name!r} of {FILE}"
        expected = f"{right[0]:g} for the monolith, {right[1]:g} for the services"
        if name not in given:
            got = "no such row with two numbers"
            _fail("no-row", asked=asked, got=got, expected=expected, why=why, page=document)
        one, other = given[name]
        if _equal((one, other), right):
            continue
        diagnosis = "swapped" if _equal((other, one), right) else "wrong-number"
        got = f"{one:g} for the monolith, {other:g} for the services"
        _fail(diagnosis, asked=asked, got=got, expected=expected, why=why, page=document)


def _equal(given: Row, right: Row) -> bool:
    return all(
        abs(one - other) <= _TOLERANCE * abs(other) for one, other in zip(given, right, strict=True)
    )


def _rows(page: str) -> dict[str, Row]:
    """Return the rows of tables that have two numbers."""
    rows = {}
    for line in page.splitlines():
        cells = _split(line)
        if len(cells) == 3 and all(re.fullmatch(r"[\d,.]*\d", cell) for cell in cells[1:]):
            rows[cells[0]] = _numbers(cells[1:])
    return rows


def _cells(text: str, first: str) -> list[str]:
    for line in text.splitlines():
        cells = _split(line)
        if cells and cells[0] == first:
            return cells[1:]
    msg = f"{BENCH} has no row {first!r}; did a bench end before it wrote its figures?"
    raise CheckNotRun(msg)


def _shares(bench: str, side: str, event: str) -> dict[str, float]:
    """Return the percentages of requests without an error, by what was asked."""
    for line in bench.splitlines():
        cells = _split(line)
        if cells[:2] == [side, event]:
            shares = (_number(cell.partition(" ")[0]) for cell in cells[2:])
            return dict(zip(("users", "threads", "posts", "pages"), shares, strict=True))
    msg = f"{BENCH} has no row {side}, {event}"
    raise CheckNotRun(msg)


def _split(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line else []


def _numbers(cells: Iterable[str]) -> Row:
    one, other = map(_number, cells)
    return one, other


def _number(text: str) -> float:
    return float(text.strip("*").replace(",", ""))


def _fail(name: str, **told: str) -> NoReturn:
    fail(name, where=FILE, **told)


CHECKS = (check_bill, check_requests, check_decision)
