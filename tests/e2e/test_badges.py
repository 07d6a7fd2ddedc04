"""The badges that show which component served each part of a page are shown as a whole."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from infra import stages
from tests.e2e.conftest import WITHOUT_LIMITS
from tests.e2e.support.content import Content, fill
from tests.e2e.support.visitor import PASSWORD
from tests.e2e.support.window import sign_in
from tests.support.harness import Stack

# As long as a revision of git in a deployment.
REVISION = "0123456789ab"

# How much of each badge is inside the window and all boxes that cut it, and what it should say.
VISIBLE = """async badges => await Promise.all(badges.map(badge => new Promise(resolve =>
    new IntersectionObserver(
        ([entry], observer) => {
            observer.disconnect();
            const whole = badge.scrollWidth <= badge.clientWidth + 1;
            resolve([badge.textContent.replace("Served by ", ""), entry.intersectionRatio, whole]);
        },
    ).observe(badge))))"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run the full split with badges."""
    settings = {**WITHOUT_LIMITS, "SPLIT_BADGE": "on", "REVISION": REVISION}
    with Stack(frozenset(stages.DOMAINS), tmp_path_factory.mktemp("badges"), settings) as stack:
        yield stack


@pytest.fixture(scope="module")
def content(stack: Stack) -> Content:
    return fill(stack)


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_badges_are_whole_at_any_width(
    browser: Browser, stack: Stack, content: Content, width: int
) -> None:
    viewport = {"width": width, "height": 4000}
    with browser.new_context(base_url=stack.base_url, viewport=viewport) as context:
        page = context.new_page()
        sign_in(page, content.moderator, PASSWORD)
        for path, domains in (
            ("/me", ["users"]),
            ("/", ["threads"]),
            (content.thread, ["threads", "posts"]),
            (content.person, ["users", "posts"]),
        ):
            page.goto(path)
            seen = page.locator("main .badge").evaluate_all(VISIBLE)
            assert seen == [[f"{one}/{REVISION}", 1, True] for one in domains], path
