"""The first session of a person, in a real browser, before and after the split.

The same script runs on the monolith alone and on three services, with the same result.
"""

import difflib

import pytest
from playwright.sync_api import Browser

from tests.e2e.support.visitor import PASSWORD
from tests.e2e.support.window import Session, opened
from tests.support.harness import Stack


def first_session(session: Session, name: str) -> None:
    """Register, sign in, open a thread, reply, read, edit, delete, sign out."""
    title = f"Where to cut first, {name}?"
    register(session, name)
    write_and_edit(session, name, title)
    find_again(session, name, title)
    rename_and_leave(session, title)


def register(session: Session, name: str) -> None:
    """Open an account, and sign out."""
    page = session.page
    page.goto("/")
    session.follow("Register")
    session.look("body")
    session.type(Username=name, Password=PASSWORD)
    session.type(**{"Display name (optional)": "Ada Lovelace"})
    session.press("Register")
    session.look("header.top")
    session.press("Sign out")
    session.look("header.top")


def write_and_edit(session: Session, name: str, title: str) -> None:
    """Sign in on the way to a new thread; write, edit and delete posts."""
    page = session.page
    session.follow("New thread")
    session.type(Username=name, Password="not the password")
    session.press("Sign in")
    assert "The username or password is incorrect." in session.look()
    session.type(Password=PASSWORD)
    session.press("Sign in")
    assert "New thread" in session.look("body")

    session.type(Title=title, First_post="Along a **seam**.\n\nBut which?")
    session.press("Start thread")
    session.settled()
    seen = session.look("body")
    assert title in seen
    assert "Along a seam." in seen

    session.type(Your_reply="Perhaps where the *changes* are.\n\n> Along a seam.")
    session.press("Post reply")
    session.settled()
    assert "Perhaps where the changes are." in session.look()
    session.type(Your_reply="   ")
    session.press("Post reply")
    assert "Fill in this field." in session.look()
    session.type(Your_reply="A third, to be deleted.")
    session.press("Post reply")
    session.settled()
    session.look()

    session.follow("Newest first")
    session.look()
    session.follow("Oldest first")
    page.get_by_role("article").nth(1).get_by_role("link", name="Edit").click()
    session.look()
    session.type(Your_post="Where the changes are, says the log.")
    session.press("Save changes")
    assert "says the log" in session.look()
    assert "edited" in session.seen[-1]

    last = page.get_by_role("article").nth(2)
    last.locator("summary").click()
    last.get_by_role("button", name="Delete post").click()
    session.settled()
    assert "This post was deleted." in session.look()


def find_again(session: Session, name: str, title: str) -> None:
    """Find the thread in the list, by search, and its author's profile."""
    page = session.page
    session.follow("Seams")
    page.get_by_role("link", name=title).wait_for()
    session.look("ol.threads > li:first-child")
    session.look("header.top")
    page.get_by_label("Search titles").fill(f"CUT where {name}")
    session.press("Search")
    session.look()
    session.follow(title)
    session.look()
    session.follow("Ada Lovelace")
    assert f"@{name}" in session.look()


def rename_and_leave(session: Session, title: str) -> None:
    """Change the display name, sign out, and see it everywhere."""
    page = session.page
    session.follow("Edit profile")
    session.type(**{"Display name": "Countess Ada", "About you": "I write programs."})
    session.press("Save profile")
    assert "Profile saved." in session.look()
    session.press("Sign out")
    session.settled()
    session.look("header.top")
    session.look("ol.threads > li:first-child")
    session.follow(title)
    seen = session.look()
    assert "Sign in to reply" in seen
    assert seen.count("Countess Ada") == 4, "the thread and its posts have her new name"
    assert "Ada Lovelace" not in seen
    assert "2 posts" in seen
    page.goto("/nothing/here")
    session.look()


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
def test_first_session_reads_the_same_before_and_after(
    scripts: bool, browser: Browser, before: Stack, after: Stack
) -> None:
    seen = []
    name = "ada-with" if scripts else "ada-without"
    for stack in (before, after):
        with opened(browser, stack, scripts=scripts) as session:
            first_session(session, name)
        seen.append("\n\n".join(session.seen))
    one, other = (text.splitlines() for text in seen)
    difference = list(difflib.unified_diff(one, other, "before", "after", lineterm=""))
    assert not difference, "\n".join(difference)


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_window(width: int, browser: Browser, before: Stack) -> None:
    with opened(browser, before, scripts=True) as session:
        page = session.page
        page.set_viewport_size({"width": width, "height": 800})
        page.goto("/register")
        session.type(Username=f"wide-{width}", Password=PASSWORD)
        session.press("Register")
        page.goto("/threads/new")
        word = "w" * 120
        session.type(
            Title=word, First_post=f"{word * 5}\n\n    {word * 5}\n\n|{word}|{word}|\n|-|-|"
        )
        session.press("Start thread")
        thread = page.url
        for path in (thread, "/", "/me", "/status", "/register", "/sign-in", "/threads/new"):
            page.goto(path)
            scrolls = page.evaluate("document.documentElement.scrollWidth")
            assert scrolls <= width, f"{path} is {scrolls} wide"
