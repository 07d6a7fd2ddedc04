"""Keyboard navigation: each tab stop is visible, and works."""

from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import new_name
from tests.e2e.support.visitor import PASSWORD, Visitor
from tests.e2e.support.window import opened
from tests.support.harness import Stack

OUTLINE = "() => getComputedStyle(document.activeElement).outlineStyle"
MOST = 60  # presses of the tab key on one page


def _tab_to(page: Page, name: str) -> None:
    """Press the tab key until something of this name has the focus, each stop in sight."""
    for _ in range(MOST):
        page.keyboard.press("Tab")
        assert page.evaluate(OUTLINE) == "solid", page.evaluate("document.activeElement.outerHTML")[
            :200
        ]
        label = page.evaluate("(e => (e.labels?.[0] ?? e).textContent)(document.activeElement)")
        if " ".join(label.split()) == name:
            return
    message = f"nobody gets to {name} by the tab key"
    raise AssertionError(message)


def test_thread_is_read_and_replied_to_by_keyboard(browser: Browser, before: Stack) -> None:
    name = new_name("keys")
    author = Visitor(before.base_url)
    author.register(name)
    author.open_thread("A thread for fingers", "A first post")
    with opened(browser, before, scripts=True) as session:
        page = session.page
        page.goto(author.path.partition("?")[0])
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()

        _tab_to(page, "Sign in")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(page.get_by_label("Username")).to_be_focused()
        page.keyboard.type(name)
        _tab_to(page, "Password")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="A thread for fingers")).to_be_visible()
        # Where they wanted to reply. A page that still loads jumps there at its end.
        page.wait_for_load_state()
        _tab_to(page, "Your reply")

        page.goto(author.path.partition("?")[0])
        _tab_to(page, "Quote " + name)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Your reply")).to_be_focused()
        page.keyboard.type("I agree.")
        _tab_to(page, "Post reply")
        page.keyboard.press("Enter")
        expect(page.get_by_role("article").nth(1)).to_contain_text("I agree.")

        question = page.get_by_role("article").nth(1).locator("details.confirm")
        question.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(question).to_have_attribute("open", "")
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        expect(question).not_to_have_attribute("open", "")
        expect(question.locator("summary")).to_be_focused()

        page.get_by_label("Your reply").fill("Sent by its keys.")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("article").nth(2)).to_contain_text("Sent by its keys.")
