"""Pages with larger letters, wider spacing, and marks stacked on letters: nothing gets lost."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState

from tests.e2e.support.content import Content, fill
from tests.e2e.support.visitor import PASSWORD
from tests.e2e.support.window import sign_in
from tests.support.harness import Stack

# What WCAG 1.4.12 lets readers set.
SPACING = """
* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
p { margin-bottom: 2em !important }
"""
LARGE = "html { font-size: 200% !important }"
WIDTHS = (320, 360, 480, 1280)

FAULTS = """() => {
  const found = [], width = document.documentElement.clientWidth;
  const rect = (element) => element.getBoundingClientRect();
  if (document.documentElement.scrollWidth > width) {
    const wide = [...document.querySelectorAll("main *, header *, footer *")].find(
      (one) => rect(one).right > width && !one.closest("pre, .prose table, .unseen"),
    );
    found.push(`scrolls sideways: ${wide?.outerHTML.slice(0, 80)}`);
  }
  const shown = (selector) => (
    [...document.querySelectorAll(selector)].filter((one) => one.offsetParent)
  );
  const text = (one) => one.textContent.trim();
  for (const one of shown(".top a, .top button, .author, .button, .tag")) {
    const { width, height } = rect(one), overflow = one.scrollWidth > one.clientWidth + 1;
    const cut = overflow && getComputedStyle(one).overflowX !== "visible";
    if (width < 8 || height < 8 || cut) found.push(`is cut off: ${text(one)}`);
  }
  const bar = shown(".top a, .top button");
  bar.forEach((one, index) => bar.slice(index + 1).forEach((other) => {
    const a = rect(one), b = rect(other);
    const beside = a.left >= b.right - 1 || b.left >= a.right - 1;
    const below = a.top >= b.bottom - 1 || b.top >= a.bottom - 1;
    if (!beside && !below) found.push(`overlap: ${text(one)}, ${text(other)}`);
  }));
  return found;
}"""

MARKS = "".join(chr(code) for code in range(0x300, 0x33C)) * 8


@pytest.fixture(scope="module")
def content(before: Stack) -> Content:
    """Fill the forum; pages are the same at every stage."""
    return fill(before)


@pytest.fixture(scope="module")
def session(browser: Browser, before: Stack, content: Content) -> StorageState:
    """Return the cookies of a moderator, whose name is long."""
    with browser.new_context(base_url=before.base_url) as context:
        page = context.new_page()
        sign_in(page, content.moderator, PASSWORD)
        return context.storage_state()


@pytest.fixture(params=["anonymous", "moderator"])
def page(
    request: pytest.FixtureRequest, browser: Browser, before: Stack, session: StorageState
) -> Iterator[Page]:
    """Open a window, with a session and without one."""
    state = session if request.param == "moderator" else None
    # The pages' policy would refuse the reader's styles.
    with browser.new_context(
        base_url=before.base_url, storage_state=state, bypass_csp=True
    ) as context:
        yield context.new_page()


def _paths(content: Content) -> list[str]:
    own = ["/me", "/threads/new", f"{content.thread}/edit", "/sign-in", "/register"]
    return ["/", "/?q=the", content.thread, content.odd, content.person, "/status", "/no", *own]


@pytest.mark.parametrize("style", ["/* none */", SPACING, LARGE], ids=["plain", "spacing", "large"])
def test_text_of_any_size_stays_in_sight(page: Page, content: Content, style: str) -> None:
    wrong = []
    for path in _paths(content):
        page.goto(path)
        page.add_style_tag(content=style)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            wrong += [f"{path} at {width} px {text}" for text in page.evaluate(FAULTS)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("place", "box"),
    [
        ("/", ".threads li:nth-child(3) h2 a"),
        ("/", ".threads li:nth-child(3) .author"),
        ("thread", ".title h1"),
        ("thread", ".title .author"),
        ("thread", ".post:nth-of-type(2) .author"),
        ("thread", ".post:nth-of-type(2) .prose p"),
        ("person", "h1"),
        ("/", ".self"),
    ],
)
def test_marks_stay_at_their_text(
    browser: Browser,
    before: Stack,
    content: Content,
    session: StorageState,
    place: str,
    box: str,
) -> None:
    path = {"thread": content.thread, "person": content.person}.get(place, place)
    with browser.new_context(base_url=before.base_url, storage_state=session) as context:
        page = context.new_page()
        page.goto(path)
        around = page.locator(box).first
        around.scroll_into_view_if_needed()
        within = around if ".prose" not in box else page.locator(".post").nth(1)
        size = within.bounding_box()
        assert size
        # Tall scripts may reach out of their line by a third of a letter.
        room, height = 12, 60
        top = size["y"] - height if size["y"] > height else size["y"] + size["height"] + room
        beside = {"x": size["x"], "y": top, "width": 300, "height": height - room}
        plain, marked = [], []
        for text, pictures in (("Z", plain), (f"Z{MARKS}", marked)):
            around.evaluate("(element, text) => { element.textContent = text }", text)
            pictures.append(page.screenshot(clip=beside))
            inside = page.locator(box).first.bounding_box()
            assert inside
            pictures.append(page.screenshot(clip={**inside, "height": inside["height"] + 1}))
        assert plain[0] == marked[0]
        # The machine's fonts stack marks at all, or the test sees nothing.
        assert plain[1] != marked[1]
