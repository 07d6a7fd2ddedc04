"""The forum before and after the split, with content, for validators."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import stages
from infra.setup import chromium, validators
from tests.e2e.support.content import Content, fill
from tests.support.harness import Stack
from tests.validators.support.programs import Validators, store_documents

WITHOUT_LIMITS = {"SIGN_IN_LIMIT_PER_NAME": "1000000", "SIGN_IN_LIMIT_PER_ADDRESS": "1000000"}


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run the monolith alone."""
    with Stack(frozenset(), tmp_path_factory.mktemp("before"), WITHOUT_LIMITS) as stack:
        yield stack


@pytest.fixture(scope="session")
def after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run the monolith's pages on three services."""
    extracted = frozenset(stages.DOMAINS)
    with Stack(extracted, tmp_path_factory.mktemp("after"), WITHOUT_LIMITS) as stack:
        yield stack


@pytest.fixture(params=["before", "after"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """Return each of the two stages in turn."""
    found: Stack = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def content(after: Stack) -> Content:
    """Fill the forum; the contract suite proves that pages are the same at every stage."""
    return fill(after)


@pytest.fixture(scope="session")
def installed() -> Validators:
    """Install the validators."""
    return Validators(validators.ensure_installed(), validators.node(), chromium.ensure_installed())


@pytest.fixture
def documents(stack: Stack, tmp_path: Path) -> dict[str, Path]:
    """Store the OpenAPI documents that a stage serves."""
    return store_documents(stack.base_url, tmp_path)
