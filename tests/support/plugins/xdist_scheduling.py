"""Distribution of tests by pytest-xdist: by file, and each suite of complete stages as one.

The suites of stages start a stage once and compare it with the previous one, so one process must
run them completely. Tests of the cloud's templates share their synthesis within a process.
(`--dist loadgroup` could express this with marks, but pytest-xdist 3.8 does not see them with
pytest 9.2.)
"""

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

SUITES = ("tests/contract/", "tests/e2e/", "infra/tests/cdk/")


class SuiteScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Scheduling that runs each file, and each suite, in one process."""

    def _split_scope(self, nodeid: str) -> str:
        suites = (suite for suite in SUITES if nodeid.startswith(suite))
        return next(suites, nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SuiteScheduling | None:
    """Replace `--dist loadfile`."""
    return SuiteScheduling(config, log) if config.getvalue("dist") == "loadfile" else None
