"""Writing with scripts: drafts, preview, quotations, and concurrent replies."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import new_name
from tests.e2e.support.visitor import PASSWORD, Visitor
from tests.e2e.support.window import opened
from tests.support.eventually import EventSettling
from tests.support.harness import Stack

TYPED = "Words that took me an hour,\n\nand *more* on a third line & <b>so on</b>."
# Delay before a draft is stored; see write.js.
KEPT_AFTER = 600  # milliseconds
# Interval of polls for new replies; see live.js.
LOOKS_EVERY = 15_000  # milliseconds


@pytest.fixture
def writer(stack: Stack) -> Visitor:
    """Return a visitor who has started a thread."""
    made = Visitor(stack.base_url)
    made.register(new_name("writer"))
    made.open_thread("A thread to write in", "Its *first* post")
    EventSettling(stack).wait()
    return made


@pytest.fixture
def thread(writer: Visitor) -> str:
    """Return the thread's path."""
    return writer.path.partition("?")[0]


def _let_in(page: Page, visitor: Visitor) -> None:
    """Sign a browser in with a visitor's session."""
    page.context.add_cookies(visitor.browser_cookies())


def _reply(page: Page, text: str) -> None:
    page.get_by_label("Your reply").fill(text)
    page.get_by_role("button", name="Post reply").click()
    page.wait_for_url("**/threads/*at=*")


def test_expired_session_keeps_the_text_of_a_reply(
    browser: Browser, stack: Stack, writer: Visitor, thread: str
) -> None:
    with opened(browser, stack, scripts=True) as session:
        page = session.page
        _let_in(page, writer)
        page.goto(thread)
        session.type(Your_reply=TYPED)
        page.context.clear_cookies()
        session.press("Post reply")
        expect(page.get_by_role("heading", name="Sign-in required")).to_be_visible()
        expect(page.get_by_label("Text")).to_have_value(TYPED)
        # They go elsewhere, sign in there, and find their words where they wrote them.
        _let_in(page, writer)
        page.goto(thread)
        expect(page.get_by_label("Your reply")).to_have_value(TYPED)
        expect(page.get_by_text("Draft restored.")).to_be_visible()
        session.press("Post reply")
        expect(page.get_by_role("article").nth(1)).to_contain_text("Words that took me an hour")
        page.goto(thread)
        expect(page.get_by_label("Your reply")).to_have_value("")
        assert page.get_by_role("article").count() == 2


def test_expired_session_keeps_the_text_without_scripts(
    browser: Browser, stack: Stack, thread: str
) -> None:
    person = Visitor(stack.base_url)
    name = new_name("patient")
    person.register(name)
    with opened(browser, stack, scripts=False) as session:
        page = session.page
        _let_in(page, person)
        page.goto(thread)
        session.type(Your_reply=TYPED)
        page.context.clear_cookies()
        session.press("Post reply")
        session.type(Username=name, Password="not the password")
        session.press("Sign in")
        session.type(Password=PASSWORD)
        session.press("Sign in")
        expect(page.get_by_label("Text")).to_have_value(TYPED)
        session.press("Send now")
        expect(page.get_by_role("article").nth(1)).to_contain_text("Words that took me an hour")
        assert page.get_by_role("article").count() == 2


def test_draft_outlives_the_page_and_ends_with_the_reply(
    browser: Browser, stack: Stack, writer: Visitor, thread: str
) -> None:
    with opened(browser, stack, scripts=True) as session:
        page = session.page
        _let_in(page, writer)
        for path, label in ((thread, "Your reply"), ("/threads/new", "First post")):
            page.goto(path)
            page.get_by_label(label).fill(TYPED)
            page.wait_for_timeout(KEPT_AFTER)
        page.goto(thread)
        expect(page.get_by_label("Your reply")).to_have_value(TYPED)
        session.press("Discard draft")
        expect(page.get_by_label("Your reply")).to_have_value("")
        page.reload()
        expect(page.get_by_label("Your reply")).to_have_value("")
        _reply(page, "A reply")
        assert "done=" not in page.url
        page.goto("/threads/new")
        expect(page.get_by_label("First post")).to_have_value(TYPED)
        page.get_by_label("Title").fill("A thread from a draft")
        session.press("Start thread")
        expect(page.get_by_role("heading", name="A thread from a draft")).to_be_visible()
        page.goto("/threads/new")
        expect(page.get_by_label("First post")).to_have_value("")


def test_reply_with_a_lost_response_stays_and_is_sent_once(
    browser: Browser, stack: Stack, writer: Visitor, thread: str
) -> None:
    with browser.new_context(base_url=stack.base_url) as context:
        page = context.new_page()
        _let_in(page, writer)
        page.goto(thread)
        page.get_by_label("Your reply").fill(TYPED)
        form = {
            name: page.locator(f"#reply [name={name}]").input_value()
            for name in ("csrf_token", "idempotency_key")
        }
        # The request arrives, but its response is lost.
        writer.send(thread, form | {"body": TYPED})
        page.route("**/threads/*", lambda route: route.abort())
        page.get_by_role("button", name="Post reply").click()
        page.wait_for_timeout(KEPT_AFTER)
        page.unroute_all()
        page.goto(thread)
        expect(page.get_by_label("Your reply")).to_have_value(TYPED)
        page.get_by_role("button", name="Post reply").click()
        page.wait_for_url("**/threads/*at=*")
        assert page.get_by_text("Words that took me an hour").count() == 1


def test_signing_out_deletes_drafts(
    browser: Browser, stack: Stack, writer: Visitor, thread: str
) -> None:
    with opened(browser, stack, scripts=True) as session:
        page = session.page
        _let_in(page, writer)
        page.goto(thread)
        session.type(Your_reply=TYPED)
        page.wait_for_timeout(KEPT_AFTER)
        assert page.evaluate("localStorage.length") == 1
        session.press("Sign out")
        page.wait_for_url("**/")
        assert page.evaluate("localStorage.length") == 0


def test_preview_and_quotations_keep_the_written_text(
    browser: Browser, stack: Stack, writer: Visitor, thread: str
) -> None:
    with opened(browser, stack, scripts=True) as session:
        page = session.page
        _let_in(page, writer)
        page.goto(thread)
        session.type(Your_reply="Before.")
        page.get_by_role("link", name="Quote").click()
        area = page.get_by_label("Your reply")
        name = page.locator("article .author").first.inner_text()
        source = page.locator("article .permalink").first.get_attribute("href")
        whose = f"> [{name} wrote]({source}):\n>\n"
        expect(area).to_have_value(f"Before.\n\n{whose}> Its *first* post\n\n")
        expect(area).to_be_focused()
        page.locator("article em").dblclick()
        page.get_by_role("link", name="Quote").click()
        expect(area).to_have_value(re.compile(re.escape(f"\n\n{whose}> first\n\n") + "$"))
        session.press("Preview")
        expect(page.locator(".preview blockquote p").last).to_have_text("first")
        expect(page.locator(".preview a").last).to_have_text(f"{name} wrote")
        expect(page.locator(".preview")).to_be_focused()
        area.fill("*a*" + "x" * 16_000)
        session.press("Preview")
        expect(page.locator(".preview")).to_have_text("Use at most 16000 characters.")
        assert page.url.endswith(thread)


def test_quotation_and_preview_work_without_scripts(
    browser: Browser, stack: Stack, writer: Visitor, thread: str
) -> None:
    with opened(browser, stack, scripts=False) as session:
        page = session.page
        _let_in(page, writer)
        page.goto(thread)
        page.get_by_role("link", name="Quote").click()
        area = page.get_by_label("Your reply")
        area.fill(area.input_value() + "I *agree*.")
        session.press("Preview")
        expect(page.locator(".preview em").last).to_have_text("agree")
        assert area.input_value().endswith("I *agree*.")
        session.press("Post reply")
        expect(page.get_by_role("article").nth(1)).to_contain_text("I agree.")


def test_concurrent_replies_announce_each_other(
    browser: Browser, stack: Stack, writer: Visitor, thread: str
) -> None:
    other = Visitor(stack.base_url)
    other.register(new_name("other"))
    with (
        opened(browser, stack, scripts=True) as one,
        opened(browser, stack, scripts=True) as two,
    ):
        for session, person in ((one, writer), (two, other)):
            _let_in(session.page, person)
            session.page.clock.install()
            session.page.goto(thread)
            session.type(Your_reply=f"A reply of {person.url} and {id(person)}")
        # Both press the button before either has seen what the other wrote.
        for session in (one, two):
            session.page.get_by_role("button", name="Post reply").click(no_wait_after=True)
        for session in (one, two):
            session.page.wait_for_url("**/threads/*at=*")
        first, second = one.page, two.page
        first.goto(thread)
        assert first.get_by_role("article").count() == 3

        second.goto(thread)
        second.get_by_label("Your reply").fill("Still writing")
        _reply(first, "One more")
        second.clock.fast_forward(LOOKS_EVERY + 1000)
        notice = second.get_by_role("link", name="1 new reply")
        expect(notice).to_be_visible()
        assert second.locator("article").count() == 3, "nothing moves by itself"
        notice.click()
        expect(second.get_by_role("article").last).to_contain_text("One more")
        expect(second.get_by_label("Your reply")).to_have_value("Still writing")
        # One's own reply is no news.
        first.clock.fast_forward(LOOKS_EVERY + 1000)
        first.wait_for_timeout(300)
        expect(first.locator(".live a")).to_have_count(0)
