"""Mutation testing: `make test-mutants ARGS='cursors tokens'`.

`mutants.toml` maps modules to the tests that judge them. Each mutant is one small change of a
module, which at least one of its tests must find. A mutant is never written to disk: it replaces
its module in a forked process, so a run that is killed leaves the working copy as it was.
`docs/mutation-testing.md` explains the survivors that no test can find.
"""

import argparse
import ast
import contextlib
import importlib.util
import io
import itertools
import os
import re
import signal
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_suffix(".toml")
EXPLAINED = ROOT / "docs" / "mutation-testing.md"
# Longer than a module's tests take on an unmutated module.
TIMEOUT_FACTOR, TIMEOUT_SECONDS = 4.0, 10.0
TIMED_OUT = 124
# The tests noticed the mutant: they failed, could not import it, or did not end. With any other
# code they did not run, which proves nothing.
FOUND = {
    *(pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR),
    TIMED_OUT,
}
_LIBRARIES = ("boto3", "flask", "flask_openapi3", "jwt", "sqlalchemy")
_NEIGHBORS = ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_GtE", "Gt_LtE", "Eq_NotEq", "NotEq_Eq")
_OPERATORS = (
    *(f"ReplaceComparisonOperator_{each}" for each in (*_NEIGHBORS, "Is_IsNot", "IsNot_Is")),
    *("ReplaceBinaryOperator_Add_Sub", "ReplaceBinaryOperator_Sub_Add"),
    *("ReplaceBinaryOperator_Mul_Div", "ReplaceBinaryOperator_Div_Mul"),
    *("ReplaceUnaryOperator_Delete_Not", "AddNot", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "NumberReplacer", "ExceptionReplacer"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop"),
)
_ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT
# In conditions of DynamoDB, which are strings.
_CONDITION = re.compile(r"attribute_(not_)?exists|[<>=] ?:|IN \(:")
_CHANGES = (
    *((r"attribute_not_exists", "attribute_exists"), (r" AND ", " OR "), (r" OR ", " AND ")),
    *((r"attribute_exists", "attribute_not_exists"), (r" <= ", " < "), (r" < ", " <= ")),
    *((r" >= ", " > "), (r" > ", " >= "), (r" = ", " <> "), (r" <> ", " = ")),
)


@dataclass(frozen=True)
class Mutant:
    """A changed module, with the first line that differs."""

    source: str
    line: int
    before: str
    after: str


class MutantFinder(MetaPathFinder):
    """Finder that loads a module from a text instead of its file."""

    def __init__(self, file: Path, source: str) -> None:
        self._name, self._file, self._source = module_name(file), file, source

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of the mutant, None for all other modules."""
        if fullname != self._name:
            return None
        loader = _Loader(fullname, str(ROOT / self._file), self._source)
        return importlib.util.spec_from_file_location(fullname, loader.path, loader=loader)


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, _fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Test the mutants of the chosen modules, or of all; fail if one survives unexplained."""
    modules = load_modules()
    parser = argparse.ArgumentParser(prog="make test-mutants ARGS=...")
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(modules))
    parser.add_argument("--timeout", type=float, help="seconds for the tests of one mutant")
    given = parser.parse_args(arguments)
    if unknown := set(given.modules) - modules.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(modules)}")
    preload()
    explained = read_explained(EXPLAINED.read_text(encoding="utf-8"))
    return max(
        [
            judge(name, modules[name], explained.get(name, set()), given.timeout)
            for name in given.modules or modules
        ]
    )


def preload() -> None:
    """Import once what each test process needs, but nothing of the repository.

    pytest imports its plugins itself, since it refuses those that it has not rewritten.
    """
    for library in _LIBRARIES:
        importlib.import_module(library)
    with TemporaryDirectory() as empty, contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "--noconftest", "-p", "no:cacheprovider", empty])


def load_modules() -> dict[str, dict[str, Any]]:
    """Read the configured modules: each with its file and its tests."""
    return tomllib.loads(CONFIG.read_text(encoding="utf-8"))


def judge(
    name: str, config: dict[str, Any], explained: set[tuple[str, str]], timeout: float | None
) -> int:
    """Test all mutants of a module; print each unexplained survivor, and the score."""
    file, began = Path(config["file"]), time.monotonic()
    source = (ROOT / file).read_text(encoding="utf-8")
    if code := run_tests(file, source, config["tests"], 600):
        _print(f"{name}: the tests fail without a mutant (exit code {code})")
        return 2
    limit = timeout or TIMEOUT_FACTOR * (time.monotonic() - began) + TIMEOUT_SECONDS
    found = list(mutants(source))
    survivors, unexplained, timed_out = 0, 0, 0
    for each in found:
        code = run_tests(file, each.source, config["tests"], limit)
        timed_out += code == TIMED_OUT
        if code in FOUND:
            continue
        survivors += 1
        if code or (each.before, each.after) not in explained:
            unexplained += 1
            remark = f" (the tests did not run: exit code {code})" if code else ""
            _print(f"  {file}:{each.line}{remark}\n    - {each.before}\n    + {each.after}")
    score = 100 * (len(found) - survivors) // max(1, len(found))
    _print(
        f"{name}: {score} %, {len(found) - survivors} of {len(found)} mutants found"
        f" ({timed_out} because the tests did not end),"
        f" {survivors - unexplained} survivors explained, {unexplained} not,"
        f" {time.monotonic() - began:.0f} s"
    )
    return 1 if unexplained else 0


def mutants(source: str) -> Iterator[Mutant]:
    """Yield each mutant of a module once."""
    known = {source}
    for mutated in itertools.chain(
        _by_operators(source), _without_statements(source), _with_other_conditions(source)
    ):
        if mutated not in known and _compiles(mutated):
            known.add(mutated)
            pairs = zip(source.splitlines(), mutated.splitlines(), strict=False)
            line, (before, after) = next(
                (number, pair) for number, pair in enumerate(pairs, 1) if pair[0] != pair[1]
            )
            # For readers and mypy: that a dataclass is frozen, that arguments are named.
            if not before.startswith("@dataclass") and after != before.replace("*,", "/,"):
                yield Mutant(mutated, line, before.strip(), after.strip())


def _by_operators(source: str) -> Iterator[str]:
    # Installed for `make test-mutants` only.
    from cosmic_ray import plugins  # noqa: PLC0415
    from cosmic_ray.mutating import mutate_code  # noqa: PLC0415

    for name in _OPERATORS:
        operator = plugins.get_operator(f"core/{name}")()
        for occurrence in itertools.count():
            try:
                mutated = mutate_code(source, operator, occurrence)
            except AttributeError:
                continue  # ExceptionReplacer fails for `jwt.PyJWTError`, with a dot
            if mutated is None:
                break
            yield str(mutated)


def _without_statements(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        ):
            yield _replaced(source, node, "pass")


def _with_other_conditions(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.expr):
            continue
        text = ast.get_source_segment(source, node) or ""
        if text.startswith(('"', "'", 'f"')) and '"""' not in text and _CONDITION.search(text):
            for pattern, other in _CHANGES:
                for found in re.finditer(pattern, text):
                    changed = text[: found.start()] + other + text[found.end() :]
                    yield _replaced(source, node, changed)


def _replaced(source: str, node: ast.expr | ast.stmt, text: str) -> str:
    # Columns of `ast` count bytes.
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: (node.end_lineno or 0) - 1])) + (node.end_col_offset or 0)
    whole = b"".join(lines)
    return (whole[:start] + text.encode() + whole[end:]).decode()


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def run_tests(file: Path, source: str, tests: Sequence[str], seconds: float) -> int:
    """Run tests against a module's text; return pytest's exit code, or `TIMED_OUT`."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 3
        try:
            os.setsid()
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in range(3):
                os.dup2(nowhere, descriptor)
            sys.meta_path.insert(0, MutantFinder(file, source))
            code = int(pytest.main(["-q", "-x", "-n0", "-p", "no:cacheprovider", *tests]))
        finally:
            os._exit(code)
    end, timed_out = time.monotonic() + seconds, False
    try:
        while not (timed_out or os.waitid(os.P_PID, child, _ENDED)):
            time.sleep(0.02)
            timed_out = time.monotonic() > end
    finally:
        # Ends also what the tests have left, and before another process can have this id.
        os.killpg(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return TIMED_OUT if timed_out else os.waitstatus_to_exitcode(status)


def module_name(file: Path) -> str:
    """Return the name under which a file is imported: `services/posts/posts/model.py`."""
    parts = file.with_suffix("").parts
    outer = {"services": 2, "chassis": 1, "monolith": 1}.get(parts[0], 0)
    return ".".join(parts[outer:])


def read_explained(text: str) -> dict[str, set[tuple[str, str]]]:
    """Read the explained survivors: a heading per module, and "- `before` → `after`: reason"."""
    found: dict[str, set[tuple[str, str]]] = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name = section.partition("\n")[0].strip().lower()
        pairs = re.findall(r"^- `([^`\n]+)`\s+→\s+`([^`\n]+)`:", section, re.MULTILINE)
        found[name] = set(pairs)
    return found


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
