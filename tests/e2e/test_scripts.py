"""Scripts of pages: relative times, and the switch between light and dark."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from forum.web.rendering import time_ago
from tests.e2e.conftest import new_name
from tests.e2e.support.visitor import PASSWORD, Visitor
from tests.e2e.support.window import opened
from tests.support.harness import Stack

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AGES = [
    0,
    59,
    60,
    119,
    120,
    3599,
    3600,
    86_399,
    86_400,
    2_591_999,
    2_592_000,
    31_536_000,
    63_072_000,
]
BACKGROUND = "() => getComputedStyle(document.body).backgroundColor"


def test_script_formats_times_as_the_server_does(browser: Browser, before: Stack) -> None:
    with opened(browser, before, scripts=True) as session:
        session.page.goto("/register")
        address = session.page.locator("script[src$='/forum.js']").get_attribute("src")
        shown = session.page.evaluate(
            "async ([address, ages]) => ages.map((await import(address)).ago)", [address, AGES]
        )
    assert shown == [time_ago(NOW - timedelta(seconds=age), NOW) for age in AGES]


def test_times_are_updated_while_a_page_is_open(browser: Browser, before: Stack) -> None:
    person = Visitor(before.base_url)
    person.register(new_name("timely"))
    person.open_thread("A timely thread", "A post")
    with opened(browser, before, scripts=True) as session:
        page = session.page
        page.clock.install()
        page.goto(person.path)
        expect(page.locator("article time")).to_have_text("just now")
        page.clock.fast_forward(5 * 60_000)
        expect(page.locator("article time")).to_have_text("5 minutes ago")
        expect(page.locator(".title time")).to_have_text("5 minutes ago")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
@pytest.mark.parametrize("signed_in", [True, False], ids=["member", "anonymous"])
def test_chosen_theme_stays(
    scripts: bool, signed_in: bool, browser: Browser, before: Stack
) -> None:
    with opened(browser, before, scripts=scripts) as session:
        page = session.page
        if signed_in:
            person = Visitor(before.base_url)
            person.register(new_name("dark"))
            page.context.add_cookies(person.browser_cookies())
        page.emulate_media(color_scheme="light")
        page.goto("/?sort=newest")
        light = page.evaluate(BACKGROUND)
        session.press("Dark")
        expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
        dark = page.evaluate(BACKGROUND)
        assert dark != light
        # Still at the switch, which is the last thing on the page.
        assert page.url.partition("#")[0].endswith("/?sort=newest")
        expect(page.get_by_role("button", name="Dark")).to_be_in_viewport()
        page.goto("/register")
        assert page.evaluate(BACKGROUND) == dark, "also before any script runs"
        session.press("System")
        expect(page.get_by_role("button", name="System")).to_have_attribute("aria-pressed", "true")
        assert page.evaluate(BACKGROUND) == light
        assert not [one for one in page.context.cookies() if "theme" in one["name"]]


def test_erasure_page_shows_when_it_is_finished(browser: Browser, stack: Stack) -> None:
    person = Visitor(stack.base_url)
    person.register(new_name("leaving"))
    with opened(browser, stack, scripts=True) as session:
        page = session.page
        page.context.add_cookies(person.browser_cookies())
        page.goto("/me")
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_label("Yes, delete my account permanently").check()
        session.press("Delete account")
        expect(page.get_by_role("heading", name="Your account is deleted")).to_be_visible(
            timeout=15_000
        )
        assert "Deletion completed" in session.look()
