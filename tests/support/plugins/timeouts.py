"""Longer timeouts for suites with slow tests."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
# Everything else has the time that pyproject.toml gives. FULL=1 and a busy machine need most of it.
SECONDS = {
    **dict.fromkeys((TESTS / "compose", TESTS / "deploy", TESTS / "faults"), 1800),
    TESTS / "extraction": 3600,
}
assert all(folder.is_dir() for folder in SECONDS), f"moved: {[*map(str, SECONDS)]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set the limit of each test."""
    for item in items:
        if seconds := SECONDS.get(item.path.parent):
            item.add_marker(pytest.mark.timeout(seconds))
