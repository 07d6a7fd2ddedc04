"""A limit of time for a suite: no test starts after TESTS_END, in seconds since the epoch.

Only the first of a run always does, so that no suite goes without a test. `.ci/run` sets the limit,
so that a slow machine finishes, too. The tests that are left are skipped, and listed by file. Quick
tests come first. After them, the files that take seconds a test begin with another one at each
commit, so that each file's turn comes.
"""

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from infra.runner.config import ROOT
from tests.support.commit import commit_number

END, HAS_BEGUN = pytest.StashKey[float](), pytest.StashKey[bool]()
NO_TIME = "no time is left for it on this machine"
# Complete stages or browsers: seconds for each test.
SLOW = tuple(
    ROOT / path
    for path in (
        "bench/tests", "extraction/tests", "infra/tests/environments", "infra/tests/runner",
        "infra/tests/test_bus_recovery.py", "infra/tests/test_events.py",
        "infra/tests/test_make.py", "infra/tests/test_stages.py", "labs/tests", "recovery/tests",
        "tests/deploy", "tests/e2e",
    )
)  # fmt: skip
assert all(path.exists() for path in SLOW), f"moved: {[*map(str, SLOW)]}"


def pytest_configure(config: pytest.Config) -> None:
    """Read the limit, and keep the order of files when pytest-xdist distributes them."""
    # Not for what the tests themselves start, such as the contract suite in a lab.
    given = os.environ.pop("TESTS_END", None) or getattr(config, "workerinput", {}).get("end", 0)
    config.stash[END] = float(given)
    if config.stash[END]:
        config.option.loadscopereorder = False


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the limit on to a process of pytest-xdist."""
    node.workerinput["end"] = node.config.stash[END]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the tests by file."""
    if config.stash[END]:
        files = list(dict.fromkeys(item.path for item in items))
        places = {file: place for place, file in enumerate(arrange(files, commit_number() or 0))}
        items.sort(key=lambda item: places[item.path])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test for which no time is left, but not the first."""
    stash = item.config.stash
    if stash.get(HAS_BEGUN, False) and stash[END] and time.time() > stash[END]:
        pytest.skip(NO_TIME)
    stash[HAS_BEGUN] = True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List how many tests of each file were left out."""
    left = Counter(
        report.nodeid.partition("::")[0]
        for report in terminalreporter.stats.get("skipped", ())
        if is_left_out(report)
    )
    if left:
        terminalreporter.section(f"{left.total()} tests left out: {NO_TIME}")
        for file, count in sorted(left.items()):
            terminalreporter.write_line(f"{count:5} {file}")


def arrange(files: list[Path], number: int) -> list[Path]:
    """Return the files, quick ones first; the number chooses the first of the slow ones."""
    slow = [file for file in files if any(file.is_relative_to(path) for path in SLOW)]
    start = number % len(slow) if slow else 0
    return [*(file for file in files if file not in slow), *slow[start:], *slow[:start]]


def is_left_out(report: pytest.TestReport) -> bool:
    """Return whether a test was skipped because no time was left."""
    return isinstance(report.longrepr, tuple) and NO_TIME in report.longrepr[2]
