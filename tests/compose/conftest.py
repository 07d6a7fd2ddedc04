"""These tests need a container engine; `make test-compose` runs them."""

import os
from collections import defaultdict

import pytest

from tests.faults import conftest as faults

collect_ignore_glob = [] if os.environ.get("FORUM_DEPLOYMENT") == "compose" else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured, and what each crash did."""
    faults.pytest_terminal_summary(terminalreporter)
    tables: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "table" and getattr(report, "when", "") == "call":
                    tables[value[0]].append((value[1], value[2]))
    for title, rows in tables.items():
        terminalreporter.section(title)
        for what, number in rows:
            terminalreporter.write_line(f"{what:<20} {number:>8}")
