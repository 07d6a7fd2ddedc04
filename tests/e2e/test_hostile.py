"""Hostile words in every field stay words, in a real browser."""

from playwright.sync_api import Browser

from tests.contract.protocol.test_markdown import CORPUS
from tests.e2e.support.visitor import PASSWORD
from tests.e2e.support.window import opened
from tests.support.harness import Stack

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
LEFTOVERS = """() => document.querySelectorAll(
    "main script, iframe, main img, main style, object, embed, form[action^=http], "
    + "[onerror], [onload]"
).length"""


def test_hostile_text_is_shown_as_text(browser: Browser, stack: Stack) -> None:
    with opened(browser, stack, scripts=True) as session:
        page = session.page
        page.goto("/register")
        session.type(Username="mallory", Password=PASSWORD)
        session.type(**{"Display name (optional)": HOSTILE[:50]})
        session.press("Register")
        page.goto("/threads/new")
        session.type(Title=HOSTILE, First_post="\n\n".join(CORPUS))
        session.press("Start thread")
        thread = page.url
        assert page.locator("main h1").first.inner_text() == HOSTILE
        page.get_by_role("link", name="Edit your post").click()
        edit = page.url
        page.goto("/me")
        session.type(**{"About you": f"</textarea>{HOSTILE}"})
        session.press("Save profile")
        session.follow("View your public profile")
        person = page.url
        for path in (thread, edit, person, "/", "/me", "/?q=script"):
            page.goto(path)
            assert page.evaluate(LEFTOVERS) == 0, path
        # Text of a link that would act leads nowhere.
        page.goto(thread)
        links = page.eval_on_selector_all("article a", "links => links.map(link => link.protocol)")
        assert set(links) <= {"http:", "https:", "mailto:"}
