"""Removal of a solution from the repository's files, for the start state of a lab.

A body is named `path::function` or `path::Class.method` and is replaced under the kept signature
and docstring. A text is quoted in full, so that a lab notices when the repository has changed.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

_INDENT = 4
_Scope = ast.Module | ast.ClassDef
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class RemovalError(Exception):
    """A text or function that a lab removes is missing: the repository changed, but not the lab."""


@dataclass(frozen=True)
class Body:
    """The body of a function."""

    path: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} in {self.path}"

    def remove(self, root: Path, label: str) -> None:
        """Remove it below `root`; a call raises a NotImplementedError with the label."""
        file = root / self.path
        file.write_text(remove_body(_read(file), self.name, label), encoding="utf-8")


@dataclass(frozen=True)
class Text:
    """A text that occurs once in its file, and what stands there instead."""

    path: str
    text: str
    replacement: str = ""

    def remove(self, root: Path, label: str) -> None:
        """Remove it below `root`; `{label}` in the replacement is the label."""
        file = root / self.path
        source = _read(file)
        if (count := source.count(self.text)) != 1:
            msg = f"{self.path} contains the text {count} times:\n{self.text}"
            raise RemovalError(msg)
        replacement = self.replacement.replace("{label}", label)
        file.write_text(source.replace(self.text, replacement), encoding="utf-8")


def read_body(target: str) -> Body:
    """Read `path::name`; raise RemovalError."""
    path, separator, name = target.partition("::")
    if not separator:
        msg = f"{target!r} is not written path::function"
        raise RemovalError(msg)
    return Body(path, name)


def remove_body(source: str, name: str, label: str) -> str:
    """Return the source with a function that raises a NotImplementedError, with the label."""
    function = _find_function(_parse(source, name), name)
    statements = function.body[1:] if _is_docstring(function.body[0]) else function.body
    if not statements:
        msg = f"{name} has a docstring only"
        raise RemovalError(msg)
    lines = source.splitlines(keepends=True)
    begin, end = statements[0].lineno - 1, statements[-1].end_lineno
    # Comments right above the body belong to the solution, too.
    while lines[begin - 1].strip().startswith("#"):
        begin -= 1
    indent = " " * (function.col_offset + _INDENT)
    lines[begin:end] = [f'{indent}raise NotImplementedError("{label}")\n']
    return "".join(lines)


def read_function(source: str, name: str) -> str:
    """Return the text of a function; raise RemovalError."""
    function = _find_function(_parse(source, name), name)
    lines = source.splitlines(keepends=True)
    return "".join(lines[function.lineno - 1 : function.end_lineno])


def _parse(source: str, name: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        msg = f"{name} can't be found: {error}"
        raise RemovalError(msg) from error


def _find_function(tree: ast.Module, name: str) -> _Function:
    scope: _Scope = tree
    *classes, last = name.split(".")
    for each in classes:
        found = [n for n in scope.body if isinstance(n, ast.ClassDef) and n.name == each]
        _check_unique(len(found), name)
        scope = found[0]
    functions = [n for n in scope.body if isinstance(n, _Function) and n.name == last]
    _check_unique(len(functions), name)
    return functions[0]


def _check_unique(count: int, name: str) -> None:
    if count != 1:
        msg = f"{name} is defined {count} times in its file"
        raise RemovalError(msg)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        msg = f"{file} does not exist"
        raise RemovalError(msg) from error
