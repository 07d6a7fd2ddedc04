"""Every page, whole and broken, in light and dark: no barrier that axe-core knows, and pictures."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.support.content import Content, fill
from tests.e2e.support.degraded import without
from tests.e2e.support.looks import look
from tests.e2e.support.visitor import PASSWORD
from tests.e2e.support.window import sign_in
from tests.support.eventually import EventSettling
from tests.support.harness import Stack

FOLDER = "after"
"""The folder of the pictures."""


@pytest.fixture(scope="module")
def stack(after: Stack) -> Stack:
    """Return the full split; the contract suite proves that pages are the same at every stage."""
    return after


@pytest.fixture(scope="module")
def content(stack: Stack) -> Content:
    """Fill the forum."""
    return fill(stack)


@pytest.fixture
def page(browser: Browser, stack: Stack, content: Content) -> Iterator[Page]:
    """Open a window without a session."""
    with browser.new_context(base_url=stack.base_url, reduced_motion="reduce") as context:
        yield context.new_page()


def _looked(page: Page, pages: dict[str, str], folder: str = FOLDER) -> list[str]:
    wrong = []
    for name, path in pages.items():
        page.goto(path)
        wrong += look(page, name, folder)
    return wrong


def test_public_pages_look_right(page: Page, content: Content) -> None:
    pages = {
        "list": "/",
        "newest": "/?sort=newest",
        "search": "/?q=the",
        "nothing-found": "/?q=zebra",
        "thread": content.thread,
        "thread-middle": f"{content.thread}?at={content.post}",
        "thread-odd": content.odd,
        "person": content.person,
        "register": "/register",
        "sign-in": "/sign-in",
        "status": "/status",
        "not-found": "/nothing",
    }
    wrong = _looked(page, pages)
    assert not wrong, "\n".join(wrong)


def test_pages_of_a_member_look_right(page: Page, content: Content) -> None:
    sign_in(page, content.member, PASSWORD)
    pages = {
        "member-list": "/",
        "member-thread": f"{content.thread}?at=newest&quote={content.post}",
        "new": "/threads/new",
        "edit": f"/posts/{content.post}/edit",
        "title": f"{content.thread}/edit",
        "account": "/me",
    }
    wrong = _looked(page, pages)

    page.goto(content.thread)
    page.locator("details.help summary").click()
    page.locator("article").first.locator("details.confirm summary").click()
    page.get_by_label("Your reply").fill("> A *preview*\n\n- with\n- a list")
    page.get_by_role("button", name="Preview").click()
    page.locator(".preview ul").wait_for()
    wrong += look(page, "preview", FOLDER)

    page.goto(content.thread)
    page.get_by_label("Your reply").fill("   ")
    page.get_by_role("button", name="Post reply").click()
    page.locator("#body-error").wait_for()
    wrong += look(page, "refused", FOLDER)

    page.goto(content.thread)
    page.get_by_label("Your reply").fill("Long thoughts.")
    page.context.clear_cookies()
    page.get_by_role("button", name="Post reply").click()
    page.get_by_label("Username").wait_for()
    wrong += look(page, "session-ended", FOLDER)
    page.get_by_label("Username").fill(content.member)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Send now").wait_for()
    wrong += look(page, "resumed", FOLDER)
    assert not wrong, "\n".join(wrong)


def test_pages_of_a_moderator_look_right(page: Page, content: Content) -> None:
    sign_in(page, content.moderator, PASSWORD)
    pages = {"moderator-thread": content.odd, "moderator-person": content.person}
    wrong = _looked(page, pages)
    page.goto(content.odd)
    page.get_by_role("button", name="Lock thread").click()
    page.get_by_text("This thread is locked.").wait_for()
    wrong += look(page, "locked", FOLDER)
    page.get_by_role("button", name="Unlock thread").click()
    page.goto("/me")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("Yes, delete my account permanently").check()
    page.get_by_role("button", name="Delete account").click()
    # Until then a script may load the page again.
    page.get_by_text("Deletion completed").wait_for()
    wrong += look(page, "erased", FOLDER)
    assert not wrong, "\n".join(wrong)


def test_degraded_pages_look_right(
    browser: Browser, after: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = fill(after)
    with browser.new_context(base_url=after.base_url, reduced_motion="reduce") as context:
        page = context.new_page()
        sign_in(page, content.member, PASSWORD)
        wrong = []
        with without(after, "posts"):
            wrong += _looked(
                page, {"no-posts": content.thread, "no-posts-status": "/status"}, "down"
            )
        with without(after, "threads"):
            nowhere = "/threads/01890000-0000-7000-8000-000000000000"
            wrong += _looked(page, {"no-threads": "/", "unavailable": nowhere}, "down")
        with without(after, "users"):
            wrong += _looked(page, {"no-users": content.person, "no-account": "/me"}, "down")
    EventSettling(after).wait(timeout=30)
    assert not wrong, "\n".join(wrong)


@pytest.mark.usefixtures("content")
def test_links_of_a_row_are_apart(page: Page) -> None:
    """A circle of 24 px around the middle of a title leaves out the author below (WCAG 2.5.8)."""
    page.goto("/")
    page.locator(".threads .meta a").first.wait_for()
    gaps = page.evaluate(
        """Array.from(document.querySelectorAll('.threads li'), row => {
             const title = row.querySelector('h2 a').getClientRects()
             const last = title[title.length - 1]
             return row.querySelector('.meta a').getBoundingClientRect().top
               - (last.top + last.bottom) / 2
           })"""
    )
    assert gaps
    assert min(gaps) >= 12
