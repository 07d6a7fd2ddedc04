"""Pages reach the databases through the stores, which are tested on both."""

import pytest


@pytest.fixture
def backend() -> str:
    """Run on one database."""
    return "sqlite"
