"""With FAIL_ON_SKIP in the environment, a skipped test fails the run.

Tests for which no time is left do not, unless all of a run were left out.
"""

import os

import pytest

from tests.support.plugins.time_limit import is_left_out


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a success into a failure if a test was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not (reporter and os.environ.get("FAIL_ON_SKIP")):
        return
    skipped = reporter.stats.get("skipped", ())
    failing = [report for report in skipped if not is_left_out(report)]
    if not reporter.stats.get("passed"):
        failing = skipped
    if failing and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"\nFAIL_ON_SKIP: {len(failing)} skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
