"""Bounds of the load on a running forum; tests/compose runs it."""

import pytest

from bench import demo_load


@pytest.mark.parametrize("text", ["0", "601", "-1", "1.5", "five", "²", " 5"])
def test_number_outside_the_bounds_is_refused(text: str) -> None:
    with pytest.raises(demo_load.LoadError, match="LOAD_SECONDS must be a number from 1 to 600"):
        demo_load.read_number({"LOAD_SECONDS": text}, "LOAD_SECONDS", 60, 600)


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("600", 600), ("", 60)])
def test_number_within_the_bounds_is_read(text: str, expected: int) -> None:
    assert demo_load.read_number({"LOAD_SECONDS": text}, "LOAD_SECONDS", 60, 600) == expected
