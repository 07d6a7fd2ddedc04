"""Weight of pages as measured by the browser: bytes, requests, and no layout shifts."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from playwright.sync_api import Browser, Page

from tests.e2e.support.content import Content, fill
from tests.e2e.support.visitor import PASSWORD
from tests.e2e.support.window import sign_in
from tests.support.harness import Stack

FIRST, LATER = 60_000, 15_000  # bytes, headers included
REQUESTS = 6
MOVED = """() => new Promise(done => {
    const moved = [];
    new PerformanceObserver(list => list.getEntries().forEach(entry => {
        moved.push([entry.value, ...entry.sources.map(({ node }) => node?.outerHTML)]);
    })).observe({type: "layout-shift", buffered: true});
    setTimeout(() => done(moved), 400);
})"""
PIECES, PAUSE = 12, 0.1  # of a page that arrives slowly; seconds between two pieces
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


@contextmanager
def in_pieces(base_url: str) -> Iterator[str]:
    """Serve the forum's pages slowly, at another port, which shares the cookies of the host."""

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {"Cookie": self.headers.get("Cookie", "")}
            answer = requests.get(base_url + self.path, headers=headers, timeout=20)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            slow = answer.headers["Content-Type"].startswith("text/html")
            size = len(answer.content) // (PIECES if slow else 1) + 1
            for place in range(0, len(answer.content), size):
                time.sleep(PAUSE if slow else 0)
                self.wfile.write(answer.content[place : place + size])
                self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


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
        assert page.evaluate(MOVED) == [], f"{path} moved"
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
        assert page.evaluate(MOVED) == [], f"{path} moved on a phone"
        page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.parametrize("width", [360, 1280])
def test_page_that_arrives_in_pieces_does_not_move(
    page: Page, stack: Stack, content: Content, width: int
) -> None:
    """A browser may paint what it has: of a slow network, or as far as a busy machine has read."""
    page.set_viewport_size({"width": width, "height": 800})
    with in_pieces(stack.base_url) as slow:
        for path in ("/", content.thread, f"{content.thread}?at={content.post}", "/nothing"):
            page.goto(f"{slow}{path}", wait_until="networkidle")
            assert page.evaluate(MOVED) == [], f"{path} moved"


def test_times_do_not_move_a_page_that_is_opened(
    browser: Browser, stack: Stack, content: Content
) -> None:
    with browser.new_context(viewport={"width": 360, "height": 740}) as context:
        page = context.new_page()
        # Another minute, or a visitor's clock that is wrong.
        page.clock.set_fixed_time(datetime.now(UTC) + timedelta(hours=11))
        page.goto(f"{stack.base_url}{content.thread}", wait_until="networkidle")
        assert page.evaluate(MOVED) == []
