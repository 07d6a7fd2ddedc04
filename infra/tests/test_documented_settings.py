"""Each component's README lists every variable that the component reads, with its default."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from forum.settings import ForumSettings
from infra.runner.config import ROOT
from posts.settings import PostsSettings
from threads.settings import ThreadsSettings
from users.settings import UsersSettings

COMPONENTS: dict[str, tuple[str, type[BaseSettings]]] = {
    "monolith": ("forum", ForumSettings),
    "services/users": ("users", UsersSettings),
    "services/threads": ("threads", ThreadsSettings),
    "services/posts": ("posts", PostsSettings),
}
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| .+ \|$", re.MULTILINE)
BOTO3 = "boto3's"


def documented(folder: str) -> dict[str, str]:
    """Read the table of a README: each variable, and its default."""
    rows = ROW.findall((ROOT / folder / "README.md").read_text(encoding="utf-8"))
    assert len(rows) == len(dict(rows)), "a variable stands there twice"
    return dict(rows)


def read_directly(*packages: Path) -> dict[str, str]:
    """Find what modules read from the environment themselves, as `environ.get("X", "default")`."""
    found = {}
    for file in (file for package in packages for file in package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    ast.Attribute(ast.Attribute(ast.Name("os"), "environ"), "get"), [key, *default]
                ):
                    given = default[0].value if default else ""  # type: ignore[attr-defined]
                    found[_name(key)] = written(given)
                case ast.Subscript(ast.Attribute(ast.Name("os"), "environ"), key):
                    found.setdefault(_name(key), "none")
    return found


def _name(key: ast.expr) -> str:
    # A constant stands for the variable of its own name.
    return str(key.value) if isinstance(key, ast.Constant) else ast.unparse(key)


def written(default: Any) -> str:
    """Write a default as the tables do."""
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, frozenset):
        default = ",".join(sorted(default))
    return f"`{default}`" if default != "" else "none"


@pytest.mark.parametrize("folder", COMPONENTS)
def test_every_variable_is_in_the_readme(folder: str) -> None:
    package, settings = COMPONENTS[folder]
    expected = {name.upper(): written(f.default) for name, f in settings.model_fields.items()}
    expected |= read_directly(ROOT / "chassis/chassis", ROOT / folder / package)
    ours = {name: text for name, text in documented(folder).items() if text != BOTO3}
    assert ours == expected


@pytest.mark.parametrize("folder", COMPONENTS)
def test_variables_of_boto3_are_marked_as_such(folder: str) -> None:
    marked = {name for name, text in documented(folder).items() if text == BOTO3}
    assert marked
    assert all(name.startswith("AWS_") for name in marked)
