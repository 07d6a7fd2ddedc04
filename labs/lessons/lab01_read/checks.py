"""Checks of lab 1: what people found about the monolith, beside what its code shows."""

import json
import tomllib
from functools import partial
from typing import NoReturn

from infra.stages import DOMAINS
from labs.outcome import CheckNotRun, fail
from labs.workspace import Workspace

FILE = "coupling.toml"
PAGE = "docs/architecture.md"
WHY = {
    "imports": "What is imported has to be there. After the split it is in another process.",
    "foreign_keys": "A database checks references within itself only. After the split none does.",
    "writes": "One transaction keeps both tables right. After the split there are two databases.",
}


def check_coupling(kind: str, workspace: Workspace) -> None:
    """Check one list of `coupling.toml`."""
    given = _read(kind, workspace)
    done = workspace.run("-m", "labs.coupling")
    if done.returncode:
        raise CheckNotRun(done.stderr)
    found: dict[str, str] = json.loads(done.stdout)[kind]
    for edge in given:
        if edge not in found:
            _fail("extra", kind, got=f"{edge} in your list", expected="no such line", where=FILE)
    for edge, where in found.items():
        if edge not in given:
            _fail("missing", kind, got=f"no {edge} in your list", expected=edge, where=where)


def _read(kind: str, workspace: Workspace) -> list[str]:
    file = workspace.folder / FILE
    form = f'{kind} = ["a -> b"], with the names {", ".join(DOMAINS)}'
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        _fail("no-file", kind, got="no such file", expected=f"a file with {form}", where=FILE)
    except tomllib.TOMLDecodeError as error:
        _fail("no-toml", kind, got=f"not TOML: {error}", expected=form, where=FILE)
    edges = table.get(kind)
    known = {f"{one} -> {other}" for one in DOMAINS for other in DOMAINS if one != other}
    if not isinstance(edges, list) or not known.issuperset(str(edge) for edge in edges):
        _fail("no-edges", kind, got=f"{kind} = {edges}", expected=form, where=FILE)
    return list(map(str, edges))


def _fail(name: str, kind: str, *, got: str, expected: str, where: str) -> NoReturn:
    fail(
        name,
        asked=f"{kind} in {FILE}",
        got=got,
        expected=expected,
        where=where,
        why=WHY[kind],
        page=PAGE,
    )


CHECKS = tuple(partial(check_coupling, kind) for kind in WHY)
