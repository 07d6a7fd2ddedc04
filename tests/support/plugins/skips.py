"""With FAIL_ON_SKIP in the environment, a skipped test fails the run."""

import os

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a success into a failure if a test was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", ())) if reporter else 0
    if skipped and os.environ.get("FAIL_ON_SKIP") and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"\nFAIL_ON_SKIP: {skipped} skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
