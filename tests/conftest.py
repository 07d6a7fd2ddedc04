"""Common hooks of the suites that run complete stages."""

import pytest

from tests.contract.support.transcript import UNCOMPARED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report tests that passed at a stage without a comparison with the first stage."""
    passed = terminalreporter.stats.get("passed", [])
    names = [report.nodeid for report in passed if (UNCOMPARED, True) in report.user_properties]
    if names:
        terminalreporter.section("contract")
        terminalreporter.write_line(
            f"{len(names)} tests passed but were compared with nothing, because the same test did"
            " not pass, or was not selected, at the stage where nothing is extracted."
        )
