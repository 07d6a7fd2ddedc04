"""Requirements of the benchmark tests."""

import pytest

from bench import wrk


@pytest.fixture(scope="session")
def load_tool() -> str:
    """Return wrk's path; without it a test is skipped, which fails in continuous integration."""
    try:
        return wrk.ensure()
    except wrk.WrkError as error:
        pytest.skip(str(error))
