"""A sample of the tests, for a machine that is too slow for all: SAMPLE=4 runs every fourth file.

The commit chooses the first of them, so that each file's turn comes. A run of fewer files than that
has one of them. `.ci/run` sets it.
"""

import os
from pathlib import Path

import pytest

from tests.support.commit import commit_number


def pytest_report_header() -> str | None:
    """Say that it is a sample."""
    return f"sample: one of {_every()} files, chosen by the commit" if _every() > 1 else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of the other files."""
    every = _every()
    if every == 1:
        return
    chosen = choose(sorted({item.path for item in items}), every, commit_number() or 0)
    others = [item for item in items if item.path not in chosen]
    items[:] = [item for item in items if item.path in chosen]
    config.hook.pytest_deselected(items=others)
    # What the tests themselves start, such as the contract of a lab, is complete.
    del os.environ["SAMPLE"]


def choose(files: list[Path], every: int, number: int) -> set[Path]:
    """Return every n-th file, at least one if there are any; the number chooses the first."""
    step = min(every, len(files)) or 1
    return set(files[number % step :: step])


def _every() -> int:
    return int(os.environ.get("SAMPLE") or 1)
