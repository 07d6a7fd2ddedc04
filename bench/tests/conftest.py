"""What the bench's tests need of the machine."""

import pytest

from bench import wrk


@pytest.fixture(scope="session")
def load_tool() -> str:
    """Give wrk's path; without it a test is skipped, which continuous integration does not take."""
    try:
        return wrk.ensure()
    except wrk.WrkError as error:
        pytest.skip(str(error))
