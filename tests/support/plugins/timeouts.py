"""Longer timeouts for suites with slow tests."""

from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
# Everything else has the time that pyproject.toml gives. FULL=1 and a busy machine need most of it.
SECONDS = {HERE / "compose": 1800, HERE / "faults": 1800, HERE / "extraction": 3600}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set the limit of each test."""
    for item in items:
        if seconds := SECONDS.get(item.path.parent):
            item.add_marker(pytest.mark.timeout(seconds))
