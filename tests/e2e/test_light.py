"""Weight of pages as measured by the browser: bytes, requests, and no layout shifts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.support.content import Content, fill
from tests.e2e.support.visitor import PASSWORD
from tests.e2e.support.window import sign_in
from tests.support.harness import Stack

FIRST, LATER = 60_000, 15_000  # bytes, headers included
REQUESTS = 6
MOVES = """() => new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => list.getEntries().forEach(entry => { sum += entry.value }))
        .observe({type: "layout-shift", buffered: true});
    setTimeout(() => done(sum), 400);
})"""
BLOCKING = """() => performance.getEntriesByType("resource")
    .filter(entry => entry.renderBlockingStatus === "blocking").map(entry => entry.name)"""


@dataclass
class Transfers:
    """Transfers over the network, without the browser's cache."""

    sizes: dict[str, int] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())


def watch(page: Page) -> Transfers:
    """Start counting."""
    found = Transfers()
    session = page.context.new_cdp_session(page)
    cached: set[str] = set()
    session.send("Network.enable")

    def begun(event: dict[str, str]) -> None:
        found.kinds.append(event.get("type", ""))

    session.on("Network.requestWillBeSent", begun)
    session.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))

    def finished(event: dict[str, str]) -> None:
        if event["requestId"] not in cached:
            found.sizes[event["requestId"]] = int(event["encodedDataLength"])

    session.on("Network.loadingFinished", finished)
    return found


@pytest.fixture(scope="module", params=["before", "after"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """Return each of the two stages in turn."""
    found: Stack = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def content(stack: Stack) -> Content:
    """Fill the forum."""
    return fill(stack)


@pytest.fixture(params=[False, True], ids=["anonymous", "moderator"])
def page(
    request: pytest.FixtureRequest, browser: Browser, stack: Stack, content: Content
) -> Iterator[Page]:
    """Open a window; a moderator's pages hold the most."""
    cookies = []
    if request.param:
        with browser.new_context(base_url=stack.base_url) as context:
            page = context.new_page()
            sign_in(page, content.moderator, PASSWORD)
            cookies = context.cookies()
    with browser.new_context(base_url=stack.base_url) as context:
        context.add_cookies(cookies)  # type: ignore[arg-type]
        yield context.new_page()


def test_pages_are_light_and_have_no_layout_shift(page: Page, content: Content) -> None:
    paths = ["/", content.thread, f"{content.thread}?at={content.post}", "/nothing"]
    if not page.context.cookies():
        paths += [content.person, "/status", "/register", "/?q=monolith"]
    for path in paths:
        page.context.new_cdp_session(page).send("Network.clearBrowserCache")
        transfers = watch(page)
        page.goto(path, wait_until="networkidle")
        first, kinds = transfers.bytes, list(transfers.kinds)
        assert 0 < first <= FIRST, f"{path}: {first} bytes at first"
        assert page.evaluate(MOVES) == 0, f"{path} moved"
        assert kinds.count("Document") == kinds.count("Stylesheet") == 1, (path, kinds)
        assert len(kinds) <= REQUESTS, (path, kinds)
        blocking = page.evaluate(BLOCKING)
        assert len(blocking) == 1, f"{path} waits for {blocking} before it is painted"
        assert blocking[0].endswith("/style.css")

        transfers.sizes.clear()
        page.set_viewport_size({"width": 360, "height": 740})
        page.goto(path, wait_until="networkidle")
        later = transfers.bytes
        assert 0 < later <= LATER, f"{path}: {later} bytes later"
        assert page.evaluate(MOVES) == 0, f"{path} moved on a phone"
        page.set_viewport_size({"width": 1280, "height": 800})


def test_times_do_not_move_a_page_that_is_opened(
    browser: Browser, stack: Stack, content: Content
) -> None:
    with browser.new_context(viewport={"width": 360, "height": 740}) as context:
        page = context.new_page()
        # Another minute, or a visitor's clock that is wrong.
        page.clock.set_fixed_time(datetime.now(UTC) + timedelta(hours=11))
        page.goto(f"{stack.base_url}{content.thread}", wait_until="networkidle")
        assert page.evaluate(MOVES) == 0
