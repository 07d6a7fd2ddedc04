"""Pages while a component is down: they name what is missing, and lose no input."""

import time

import pytest

from chassis.client.circuit_breaker import OPEN_SECONDS
from tests.e2e.conftest import new_name
from tests.e2e.support.degraded import without
from tests.e2e.support.html import Page
from tests.e2e.support.visitor import Visitor
from tests.support.eventually import EventSettling
from tests.support.harness import Stack

TYPED = "Words that took me an hour,\nand more on a second line & <b>so on</b>."


@pytest.fixture(scope="module")
def person(after: Stack) -> Visitor:
    """Return a visitor who has started a thread before the outage."""
    made = Visitor(after.base_url)
    made.register(new_name("steady"), display_name="Steady")
    made.open_thread("A thread from before", "A post from before")
    return made


@pytest.fixture
def thread(after: Stack, person: Visitor) -> str:
    """Return the path of that thread, once all components know it."""
    EventSettling(after).wait()
    person.open("/?q=from+before")
    return person.page.links["A thread from before"]


@pytest.fixture
def profile(person: Visitor) -> str:
    """Return the path of that person's page."""
    return person.open("/me").links["View your public profile"]


def _trouble(page: Page) -> str:
    """Return the problems on the status page."""
    return page.text.partition("Status")[2].partition("Components")[0]


def test_threads_can_be_read_and_replies_are_kept_without_posts(
    after: Stack, person: Visitor, thread: str, profile: str
) -> None:
    with without(after, "posts"):
        page = person.open("/")
        assert person.status == 200
        assert "A thread from before" in page.text

        page = person.open(thread)
        assert person.status == 200
        assert page.heading == "A thread from before"
        assert "Posts are temporarily unavailable" in page.text
        assert "A post from before" not in page.text
        assert "No posts yet" not in page.text, "nothing is claimed that is not known"

        page = person.reply(TYPED)
        assert person.status == 503
        assert page.form(thread).fields["body"] == TYPED
        assert "Your text was not saved; try again" in page.text

        assert "posts service is unreachable" in _trouble(person.open("/status"))
        assert person.open("/me").heading == "Your account"
        assert "Steady" in person.open(profile).text
        # The same form, sent again when posts is back, is one post.
        form = person.open(thread).form(thread)
        person.submit(form, body=TYPED)
        assert person.status == 503
        again = person.page.form(thread)
    for _ in range(2):
        person.send(thread, again.fields)
        assert person.status == 200
    assert person.page.source.count("that took me an hour") == 1
    assert "All components are healthy" in person.open("/status").text


def test_new_thread_whose_first_post_fails_is_finished_later(after: Stack, person: Visitor) -> None:
    with without(after, "posts"):
        page = person.open_thread("Half a thread", TYPED)
        assert person.status == 503
        form = page.form("/threads/new")
        assert form.fields["body"] == TYPED
        assert form.fields["title"] == "Half a thread"
        assert "its first post was not saved" in page.text
        half = form.fields["thread_id"]
        person.open(f"/threads/{half}")
        assert person.page.heading == "Half a thread"
    person.send("/threads/new", form.fields)
    assert person.path.startswith(f"/threads/{half}")
    assert "that took me an hour" in person.page.text
    assert person.page.source.count('<article class="post') == 1


def test_known_threads_are_read_and_replied_to_without_threads(
    after: Stack, person: Visitor, thread: str, profile: str
) -> None:
    nobody = Visitor(after.base_url)
    with without(after, "threads"):
        for path in ("/", "/?sort=newest", "/?q=from+before"):
            page = nobody.open(path)
            assert nobody.status == 200
            assert "A thread from before" in page.links
            assert "may be slightly out of date" in page.text

        page = nobody.open(thread)
        assert nobody.status == 200
        assert page.heading == "A thread from before"
        assert "A post from before" in page.text
        assert "may be slightly out of date" in page.text
        assert "A post from before" in nobody.open(profile).text

        person.open(thread)
        person.reply("Written while threads was away")
        assert person.status == 200
        assert "Written while threads was away" in person.page.text

        trouble = _trouble(nobody.open("/status"))
        assert "threads service is unreachable" in trouble
        assert "Threads are shown from a recent copy" in trouble
        assert person.open("/me").heading == "Your account"
    EventSettling(after).wait()
    page = nobody.open(thread)
    assert "may be slightly out of date" not in page.text
    shown = page.source.count('<article class="post')
    assert f"{shown} posts" in page.text


def test_new_thread_stays_in_its_form_without_threads(
    after: Stack, person: Visitor, thread: str
) -> None:
    with without(after, "threads"):
        page = person.open_thread("A thread for later", TYPED)
        assert person.status == 503
        form = page.form("/threads/new")
        assert (form.fields["title"], form.fields["body"]) == ("A thread for later", TYPED)
        assert "Threads are temporarily unavailable. Your text was not saved" in page.text
        person.open("/threads/01890000-0000-7000-8000-000000000000")
        assert person.status == 503, "nobody can tell whether there is such a thread"
        assert person.page.heading == "Temporarily unavailable"
        assert int(person.response.headers["Retry-After"]) >= 1
    person.send("/threads/new", form.fields)
    assert person.status == 200
    assert person.page.heading == "A thread for later"
    assert "that took me an hour" in person.page.text


def test_reading_and_writing_go_on_without_users(
    after: Stack, person: Visitor, thread: str, profile: str
) -> None:
    with without(after, "users"):
        assert "A thread from before" in person.open("/").text
        page = person.open(thread)
        assert person.status == 200
        assert "A post from before" in page.text
        assert "Steady" in page.text
        assert "Sign out" in page.text, "a session needs nobody to verify it"
        person.reply("Written while users was away")
        assert person.status == 200
        assert "Written while users was away" in person.page.text
        person.open_thread("Begun while users was away", "And its first post")
        assert person.status == 200
        assert person.page.heading == "Begun while users was away"

        page = person.open(profile)
        assert person.status == 200
        assert page.heading == "Steady"
        assert "may be slightly out of date" in page.text
        assert "Written while users was away" in page.text

        trouble = _trouble(person.open("/status"))
        assert "users service is unreachable" in trouble
        assert "Registration, sign-in and account changes are unavailable." in trouble
        for path in ("/me", "/users/01890000-0000-7000-8000-000000000000"):
            person.open(path)
            assert person.status == 503
            assert person.page.heading == "Temporarily unavailable"


def test_account_forms_keep_their_values_without_users(after: Stack, person: Visitor) -> None:
    own = {"action": "profile", "display_name": "Typed name", "bio": TYPED}
    account = person.open("/me").form("/me", action="profile")
    visitor = Visitor(after.base_url)
    with without(after, "users"):
        page = visitor.sign_in("steady-name")
        assert visitor.status == 503
        form = page.form("/sign-in")
        assert form.fields["username"] == "steady-name"
        assert form.fields["password"] == "", "a password is never sent back"
        assert "Accounts are temporarily unavailable." in page.text

        page = visitor.register("a-new-name", display_name="A new name")
        assert visitor.status == 503
        form = page.form("/register")
        assert form.fields["username"] == "a-new-name"
        assert form.fields["display_name"] == "A new name"
        assert form.fields["password"] == ""
        assert not visitor.http.cookies

        person.send("/me", account.fields | own)
        assert person.status == 503
        assert "Words that took me an hour" in person.page.text
        assert "Typed name" in person.page.source
    visitor.register("a-new-name", display_name="A new name")
    assert visitor.status == 200


def test_writes_succeed_without_the_bus_and_show_once_it_is_back(after: Stack) -> None:
    person = Visitor(after.base_url)
    with without(after, "bus"):
        person.register(new_name("patient"), display_name="Patient")
        assert person.status == 200
        person.open_thread("Begun without the bus", "A first post")
        assert person.status == 200
        thread = person.path.partition("?")[0]
        person.reply("A second post")
        assert person.status == 200
        form = person.open("/me").form("/me", action="profile")
        person.submit(form, display_name="Patience herself")
        assert "Profile saved." in person.page.text
        trouble = _trouble(person.open("/status"))
        assert "The message bus is unreachable from" in trouble
        assert "New content is still saved" in trouble
        assert "service is unreachable" not in trouble
    EventSettling(after).wait(timeout=30)
    page = person.open(thread)
    assert "2 posts" in page.text
    assert page.source.count(">Patience herself</a>") == 3
    assert "All components are healthy" in person.open("/status").text


def test_hanging_component_is_given_up_in_time(after: Stack, person: Visitor, thread: str) -> None:
    after.pause("posts")
    try:
        started = time.monotonic()
        page = person.open(thread)
        assert time.monotonic() - started < 8
        assert person.status == 200
        assert page.heading == "A thread from before"
        assert "Posts are temporarily unavailable" in page.text
    finally:
        after.resume("posts")
    time.sleep(OPEN_SECONDS)
    assert "A post from before" in person.open(thread).text
