"""docs/settings.md lists every variable that the components read, as the code has it."""

import ast
from pathlib import Path

from infra.runner.config import ROOT
from infra.tools import settings_reference

PACKAGES = (
    "chassis/chassis",
    "monolith/forum",
    "services/users/users",
    "services/threads/threads",
    "services/posts/posts",
)


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
                    found[_name(key)] = f"`{given}`" if given else "none"
                case ast.Subscript(ast.Attribute(ast.Name("os"), "environ"), key):
                    found.setdefault(_name(key), "none")
    return found


def _name(key: ast.expr) -> str:
    # A constant refers to the variable of the same name.
    return str(key.value) if isinstance(key, ast.Constant) else ast.unparse(key)


def test_page_is_up_to_date() -> None:
    page = settings_reference.FILE.read_text(encoding="utf-8")
    assert page == settings_reference.reference(), f"run: {settings_reference.COMMAND}"


def test_every_setting_is_described() -> None:
    fields = [
        (name, field.description)
        for _, kind in settings_reference.SECTIONS
        for name, field in settings_reference.own_fields(kind)
    ]
    assert not [name for name, description in fields if not description]


def test_variables_that_programs_read_themselves_are_listed() -> None:
    found = read_directly(*(ROOT / folder for folder in PACKAGES))
    documented = {name: default for name, (default, _) in settings_reference.PROCESS.items()}
    assert found == documented
