"""The page of the API in Chromium: all three documents, from this site alone, and usable."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.contract.protocol.test_documents import OPERATIONS
from tests.e2e.conftest import new_name
from tests.e2e.support.looks import NARROW, PICTURES, WIDE
from tests.e2e.support.visitor import PASSWORD
from tests.support.harness import Stack

# On a local address Swagger UI leaves out what it would tell others; so the forum has a name here.
SITE = "https://forum.example"


@dataclass
class Observed:
    """The requests of a page, and the browser's console errors."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def local_page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """Open a window in which the forum is where it is."""
    with browser.new_context(base_url=stack.base_url, reduced_motion="reduce") as context:
        yield context.new_page()


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """Open a window in which the forum is at `SITE`."""

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        route.fulfill(response=route.fetch(url=stack.base_url + path, max_redirects=0))

    with browser.new_context(base_url=SITE, reduced_motion="reduce") as context:
        context.route(f"{SITE}/**", serve)
        yield context.new_page()


@pytest.fixture
def observed(page: Page) -> Observed:
    """Watch the page from its first request on."""
    return _observe(page)


def _observe(page: Page) -> Observed:
    found = Observed()
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: _note(found, message.type, message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    return found


def _note(found: Observed, kind: str, text: str) -> None:
    if kind in {"error", "warning"}:
        found.complaints.append(text)


def _select(page: Page, domain: str) -> None:
    page.get_by_label("Select a definition").select_option(label=domain.capitalize())
    page.locator(".info").get_by_role("heading", name=domain.capitalize()).wait_for()


def _shown_operations(page: Page) -> dict[str, set[str]]:
    page.locator(".opblock").first.wait_for()
    shown: dict[str, set[str]] = {}
    for block in page.locator(".opblock").all():
        path = block.locator(".opblock-summary-path").get_attribute("data-path") or ""
        method = block.locator(".opblock-summary-method").inner_text().lower()
        shown.setdefault(path, set()).add(method)
    return shown


def test_page_shows_all_operations_and_requests_no_other_site(
    page: Page, observed: Observed
) -> None:
    page.goto("/api/docs")
    for domain, operations in OPERATIONS.items():
        _select(page, domain)
        assert _shown_operations(page) == operations
    page.locator(".opblock-summary-control").first.click()
    page.locator(".responses-wrapper").wait_for()
    page.wait_for_load_state("networkidle")
    own = (f"{SITE}/", "data:")
    assert [url for url in observed.requests if not url.startswith(own)] == []
    assert observed.complaints == []


def test_page_requests_only_the_selected_document(page: Page, observed: Observed) -> None:
    page.goto("/api/docs?urls.primaryName=Threads")
    page.locator(".opblock").first.wait_for()
    documents = [url for url in observed.requests if url.endswith("openapi.json")]
    assert documents == [f"{SITE}/api/threads/openapi.json"]


def test_tried_requests_run_in_the_session_of_the_forum(local_page: Page) -> None:
    page, observed = local_page, _observe(local_page)
    page.goto("/register")
    page.get_by_label("Username").fill(new_name("caller"))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    page.wait_for_url("**/")
    page.get_by_role("contentinfo").get_by_role("link", name="API").click()

    _select(page, "threads")
    block = page.locator(".opblock-post").filter(has_text="/api/threads")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.locator("textarea").fill('{"title": "Opened from the API page"}')
    block.get_by_role("button", name="Execute").click()
    response = block.locator(".live-responses-table")
    expect(response.locator(".response-col_status").last).to_contain_text("201")
    expect(response).to_contain_text("Opened from the API page")
    assert observed.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_wide_and_narrow_windows(page: Page, stack: Stack, scheme: str) -> None:
    folder = PICTURES / ("after" if stack.config.extracted else "before")
    folder.mkdir(parents=True, exist_ok=True)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto("/api/docs?urls.primaryName=Posts")
    page.locator(".opblock").first.wait_for()
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": 800})
        page.screenshot(path=folder / f"api-docs-{width}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
