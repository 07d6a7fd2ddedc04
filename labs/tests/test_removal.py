"""Removal of a solution keeps what the step needs, and notices a changed repository."""

from pathlib import Path

import pytest

from labs.removal import RemovalError, Text, read_body, remove_body

SOURCE = '''"""A module."""


class Store:
    """A store."""

    def add(self, name: str) -> int:
        """Add a name; return its number."""
        # The next one.
        number = len(name)
        return number + 1

    def count(self) -> int:
        return 7


def nothing() -> None:
    """Do nothing."""
'''


def test_body_is_replaced_under_its_docstring() -> None:
    removed = remove_body(SOURCE, "Store.add", "Lab 6.1")
    assert (
        '''        """Add a name; return its number."""
        raise NotImplementedError("Lab 6.1")

    def count(self)'''
        in removed
    )
    assert "The next one" not in removed


def test_body_without_docstring_is_replaced() -> None:
    removed = remove_body(SOURCE, "Store.count", "Lab 6.1")
    assert 'def count(self) -> int:\n        raise NotImplementedError("Lab 6.1")\n' in removed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Store.gone", "is defined 0 times"),
        ("Shop.add", "is defined 0 times"),
        ("add", "is defined 0 times"),
        ("nothing", "has a docstring only"),
    ],
)
def test_function_that_is_not_there_is_named(name: str, message: str) -> None:
    with pytest.raises(RemovalError, match=message):
        remove_body(SOURCE, name, "Lab 6.1")


def test_text_is_replaced_once(tmp_path: Path) -> None:
    file = tmp_path / "routes.toml"
    file.write_text("a\nb\n")
    Text("routes.toml", "b\n", "# {label}\n").remove(tmp_path, "Lab 5.2")
    assert file.read_text() == "a\n# Lab 5.2\n"
    with pytest.raises(RemovalError, match="contains the text 0 times"):
        Text("routes.toml", "b\n").remove(tmp_path, "Lab 5.2")


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RemovalError, match=r"gone\.py does not exist"):
        read_body("gone.py::add").remove(tmp_path, "Lab 6.1")


def test_target_without_function_is_refused() -> None:
    with pytest.raises(RemovalError, match="not written path::function"):
        read_body("store.py")
