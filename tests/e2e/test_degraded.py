"""While a component does not answer: pages say what is missing, and lose nothing that was typed."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import new_name
from tests.e2e.degraded import without
from tests.e2e.visitor import Visitor
from tests.harness import Stack

TYPED = "Words that took me an hour,\nand more on a second line & <b>so on</b>."


@pytest.fixture(scope="module")
def person(after: Stack) -> Visitor:
    """Be somebody who has begun a thread while everything was fine."""
    made = Visitor(after.base_url)
    made.register(new_name("steady"))
    made.open_thread("A thread from before", "A post from before")
    return made


@pytest.fixture(scope="module")
def thread(person: Visitor) -> str:
    """Give the path of that thread."""
    return person.path.partition("?")[0]


@contextmanager
def _degraded(after: Stack, domain: str, person: Visitor) -> Iterator[Visitor]:
    """Be the same person, with the same session, where a domain does not answer."""
    with without(after, domain) as url:
        there = Visitor(url)
        there.http.cookies.update(person.http.cookies)
        yield there


def test_threads_can_be_read_and_replies_are_kept_without_posts(
    after: Stack, person: Visitor, thread: str
) -> None:
    with _degraded(after, "posts", person) as visitor:
        page = visitor.open("/")
        assert visitor.status == 200
        assert "A thread from before" in page.text

        page = visitor.open(thread)
        assert visitor.status == 200
        assert page.heading == "A thread from before"
        assert "can’t be reached right now" in page.text
        assert "A post from before" not in page.text
        assert "No posts yet" not in page.text, "nothing is claimed that is not known"

        page = visitor.reply(TYPED)
        assert visitor.status == 503
        assert page.form(thread).fields["body"] == TYPED
        assert "does not answer" in page.text

        page = visitor.open("/status")
        assert "posts did not answer" in page.text
        assert visitor.open("/me").heading == "Your account"
        # The same form, sent again when posts is back, is one post.
        form = visitor.open(thread).form(thread)
        visitor.submit(form, body=TYPED)
        assert visitor.status == 503
        again = visitor.page.form(thread)
    for _ in range(2):
        person.send(thread, again.fields)
        assert person.status == 200
    assert person.page.source.count("that took me an hour") == 1


def test_a_new_thread_whose_first_post_fails_is_finished_later(
    after: Stack, person: Visitor
) -> None:
    with _degraded(after, "posts", person) as visitor:
        page = visitor.open_thread("Half a thread", TYPED)
        assert visitor.status == 503
        form = page.form("/threads/new")
        assert form.fields["body"] == TYPED
        assert form.fields["title"] == "Half a thread"
        assert "its first post could not be saved" in page.text
        half = form.fields["thread_id"]
        visitor.open(f"/threads/{half}")
        assert visitor.page.heading == "Half a thread"
    person.send("/threads/new", form.fields)
    assert person.path.startswith(f"/threads/{half}")
    assert "that took me an hour" in person.page.text
    assert person.page.source.count('<article class="post') == 1


def test_pages_say_so_without_threads(after: Stack, person: Visitor, thread: str) -> None:
    with _degraded(after, "threads", person) as visitor:
        page = visitor.open("/")
        assert visitor.status == 503
        assert "can’t be reached right now" in page.text
        assert "No threads yet" not in page.text

        page = visitor.open(thread)
        assert visitor.status == 503
        assert page.heading == "Not available right now"
        assert int(visitor.response.headers["Retry-After"]) >= 1

        page = visitor.open_thread("A thread for later", TYPED)
        assert visitor.status == 503
        form = page.form("/threads/new")
        assert (form.fields["title"], form.fields["body"]) == ("A thread for later", TYPED)
        assert "threads did not answer" in visitor.open("/status").text
        assert visitor.open("/me").heading == "Your account"


def test_reading_and_writing_go_on_without_users(
    after: Stack, person: Visitor, thread: str
) -> None:
    with _degraded(after, "users", person) as visitor:
        assert "A thread from before" in visitor.open("/").text
        page = visitor.open(thread)
        assert visitor.status == 200
        assert "A post from before" in page.text
        assert "Sign out" in page.text, "a session needs nobody to verify it"
        visitor.reply("Written while users was away")
        assert visitor.status == 200
        assert "Written while users was away" in visitor.page.text

        assert "users did not answer" in visitor.open("/status").text
        for path in ("/me", "/users/01890000-0000-7000-8000-000000000000"):
            visitor.open(path)
            assert visitor.status == 503
            assert visitor.page.heading == "Not available right now"


def test_forms_of_accounts_keep_what_was_typed_without_users(after: Stack, person: Visitor) -> None:
    with _degraded(after, "users", person) as signed_in:
        visitor = Visitor(signed_in.url)
        page = visitor.sign_in("steady-name")
        assert visitor.status == 503
        form = page.form("/sign-in")
        assert form.fields["username"] == "steady-name"
        assert form.fields["password"] == "", "a password is never sent back"
        assert "does not answer" in page.text

        page = visitor.register("a-new-name", display_name="A new name")
        assert visitor.status == 503
        form = page.form("/register")
        assert form.fields["username"] == "a-new-name"
        assert form.fields["display_name"] == "A new name"
        assert form.fields["password"] == ""

        own = {"action": "profile", "display_name": "Typed name", "bio": TYPED}
        form = person.open("/me").form("/me", action="profile")
        signed_in.send("/me", form.fields | own)
        assert signed_in.status == 503
        assert "Words that took me an hour" in signed_in.page.text
        assert "Typed name" in signed_in.page.source


def test_a_component_that_hangs_is_given_up_in_time(
    after: Stack, person: Visitor, thread: str
) -> None:
    group = os.getpgid(after.pid("posts"))
    os.killpg(group, signal.SIGSTOP)
    try:
        started = time.monotonic()
        page = person.open(thread)
        assert time.monotonic() - started < 8
        assert person.status == 200
        assert page.heading == "A thread from before"
        assert "can’t be reached right now" in page.text
    finally:
        os.killpg(group, signal.SIGCONT)
    assert "A post from before" in person.open(thread).text
