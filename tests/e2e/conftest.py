"""The forum before and after the split, and people who use its pages."""

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from infra import stages
from infra.setup import chromium
from tests.e2e.support.visitor import Visitor
from tests.support.eventually import EventSettling
from tests.support.harness import Stack

WITHOUT_LIMITS = {"SIGN_IN_LIMIT_PER_NAME": "1000000", "SIGN_IN_LIMIT_PER_ADDRESS": "1000000"}
_numbers = itertools.count(1)

NewVisitor = Callable[[], Visitor]
Settle = Callable[[], None]


@pytest.fixture(scope="session")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run the monolith alone."""
    with Stack(frozenset(), tmp_path_factory.mktemp("before"), WITHOUT_LIMITS) as stack:
        yield stack


@pytest.fixture(scope="session")
def after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run the monolith's pages on three services, of which a test may stop some."""
    extracted, folder = frozenset(stages.DOMAINS), tmp_path_factory.mktemp("after")
    with Stack(extracted, folder, WITHOUT_LIMITS, restart=True) as stack:
        yield stack


@pytest.fixture(params=["before", "after"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """Return each of the two stages in turn."""
    found: Stack = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def settle(stack: Stack) -> Settle:
    """Return a function that waits until writes in one domain are visible in the others."""
    return EventSettling(stack).wait


@pytest.fixture
def visitor(stack: Stack) -> NewVisitor:
    """Return a factory of visitors."""
    return lambda: Visitor(stack.base_url)


@pytest.fixture
def somebody(visitor: NewVisitor) -> Visitor:
    """Return a signed-in visitor."""
    made = visitor()
    made.register(new_name("somebody"))
    assert made.status == 200
    return made


def new_name(base: str) -> str:
    """Return an unused username."""
    return f"{base}-{next(_numbers)}"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run a real Chromium."""
    try:
        executable = chromium.ensure_installed()
    except chromium.ChromiumError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=executable, args=options)
        yield browser
        browser.close()
