"""Input is never lost to an error, and each form shows its errors."""

import re

import pytest

from forum.web.page_cache import BYPASS
from tests.e2e.conftest import NewVisitor, Settle, new_name
from tests.e2e.support.visitor import PASSWORD, Visitor
from tests.support.harness import Stack

TYPED = '\n  First line, indented\n\n<b>not bold</b> & "quoted" 😀\n'
TOO_LONG = "x" * 16_001


@pytest.fixture
def thread(somebody: Visitor) -> str:
    """Return the path of a thread."""
    somebody.open_thread("A thread", "A post")
    return somebody.path.partition("?")[0]


def test_refused_reply_stays_in_its_form(somebody: Visitor, thread: str) -> None:
    somebody.open(thread)
    for body in (TOO_LONG, "   ", "😀" * 16_001):
        somebody.reply(body)
        assert somebody.status == 400
        assert somebody.page.form(thread).fields["body"] == body
        assert 'aria-invalid="true"' in somebody.page.source


def test_text_is_saved_exactly(somebody: Visitor, thread: str) -> None:
    form = somebody.open(thread).form(thread)
    somebody.submit(form, body=TYPED)
    assert somebody.status == 200
    edit = re.search(
        r'href="(/posts/[0-9a-f-]+/edit)"', somebody.page.source.rpartition("<article")[2]
    )
    assert edit
    assert somebody.open(edit[1]).form(edit[1]).fields["body"] == TYPED
    somebody.submit(somebody.page.form(edit[1]), body=TOO_LONG)
    assert somebody.status == 400
    assert somebody.page.form(edit[1]).fields["body"] == TOO_LONG


def test_refused_new_thread_stays_in_its_form(somebody: Visitor) -> None:
    for title, body in (("", TYPED), ("A title", ""), ("x" * 121, TYPED), ("A title", TOO_LONG)):
        page = somebody.open_thread(title, body)
        assert somebody.status == 400
        fields = page.form("/threads/new").fields
        assert (fields["title"], fields["body"]) == (title, body)
    somebody.submit(page.form("/threads/new"), title="A title", body=TYPED)
    assert somebody.status == 200
    assert somebody.page.heading == "A title"


def test_reply_to_a_thread_locked_meanwhile_is_shown(
    somebody: Visitor, stack: Stack, visitor: NewVisitor, thread: str, settle: Settle
) -> None:
    moderator, name = visitor(), new_name("moderator")
    moderator.register(name)
    stack.moderator(name)
    moderator.http.cookies.clear()
    moderator.sign_in(name)
    form = somebody.open(thread).form(thread)
    moderator.submit(moderator.open(thread).form(f"{thread}/lock"))
    assert "Thread locked." in moderator.page.text
    settle()
    somebody.submit(form, body=TYPED)
    assert somebody.status == 409
    assert "not bold" in somebody.page.text
    assert "This thread is locked" in somebody.page.text
    moderator.submit(moderator.open(thread).form(f"{thread}/lock"))
    settle()
    somebody.submit(form, body="After all")
    assert somebody.status == 200
    moderator.submit(moderator.open(thread).form(f"{thread}/delete"))
    assert moderator.path.startswith("/?")
    settle()
    somebody.submit(form, body=TYPED)
    assert somebody.status == 404
    assert "not bold" in somebody.page.text


@pytest.mark.parametrize("lost", ["the session", "the token"])
def test_typed_text_is_shown_after_the_session_ended(
    lost: str, somebody: Visitor, thread: str
) -> None:
    form = somebody.open(thread).form(thread)
    if lost == "the session":
        somebody.http.cookies.clear()
    else:
        form.fields["csrf_token"] = "0" * 64
    somebody.submit(form, body=TYPED)
    assert somebody.status in {401, 403}
    assert "not bold" in somebody.page.text
    somebody.send("/threads/new", {"title": "My title", "body": TYPED, "csrf_token": "x"})
    assert somebody.status in {401, 403}
    assert "My title" in somebody.page.source
    assert "not bold" in somebody.page.text


def test_edit_of_a_changed_post_shows_both_texts(somebody: Visitor, thread: str) -> None:
    edit = re.search(r'href="(/posts/[0-9a-f-]+/edit)"', somebody.open(thread).source)
    assert edit
    form = somebody.open(edit[1]).form(edit[1])
    somebody.submit(form, body="Changed on the phone")
    somebody.submit(form, body=TYPED)
    assert somebody.status == 412
    again = somebody.page.form(edit[1])
    assert again.fields["body"] == TYPED
    assert "Changed on the phone" in somebody.page.text
    somebody.submit(again)
    assert somebody.status == 200
    assert "not bold" in somebody.page.text
    assert "Changed on the phone" not in somebody.page.text


def test_form_sent_twice_has_one_effect(somebody: Visitor, thread: str) -> None:
    form = somebody.open(thread).form(thread)
    for _ in range(3):
        somebody.submit(form, body="Just once")
        assert somebody.status == 200
    assert somebody.page.source.count("Just once") == 1
    form = somebody.open("/threads/new").form("/threads/new")
    places = set()
    for _ in range(3):
        somebody.submit(form, title="Just one thread", body="Just once")
        places.add(somebody.path)
    assert len(places) == 1
    assert somebody.open("/?q=Just+one+thread").source.count("Just one thread</a>") >= 1


def test_refused_registration_keeps_all_but_the_password(visitor: NewVisitor) -> None:
    taken = new_name("taken")
    visitor().register(taken)
    person = visitor()
    form = person.open("/register").form("/register")
    for username, password, status in (
        (taken.upper(), "another password", 409),
        ("x", PASSWORD, 400),
        (new_name("fine"), "short", 400),
    ):
        typed = {"username": username, "display_name": "Some <name>", "password": password}
        page = person.submit(form, **typed)
        assert person.status == status
        fields = page.form("/register").fields
        assert fields["username"] == username
        assert fields["display_name"] == "Some <name>"
        assert fields["password"] == ""
        assert not person.http.cookies


def test_signed_in_user_can_sign_in_as_another(visitor: NewVisitor, somebody: Visitor) -> None:
    """As in a second tab, or after a change of role."""
    name = new_name("second")
    visitor().register(name)
    somebody.sign_in(name)
    assert somebody.status == 200
    assert name in somebody.page.text
    somebody.register(new_name("third"))
    assert somebody.status == 200
    # And from a page that was opened before the first sign-in.
    tab = visitor()
    form = tab.open("/sign-in").form("/sign-in")
    for _ in range(2):
        tab.submit(form, username=name, password=PASSWORD)
        assert tab.status == 200


def test_wrong_password_reveals_nothing_and_keeps_the_name(visitor: NewVisitor) -> None:
    name = new_name("known")
    visitor().register(name)
    pages = []
    for username in (name, new_name("unknown")):
        person = visitor()
        page = person.sign_in(username, "wrong password")
        assert person.status == 401
        assert page.form("/sign-in").fields["username"] == username
        assert page.form("/sign-in").fields["password"] == ""
        pages.append(page.source.replace(username, "NAME"))
    assert pages[0] == pages[1]


def test_refused_profile_stays_in_its_form(somebody: Visitor) -> None:
    form = somebody.open("/me").form("/me", action="profile")
    somebody.submit(form, display_name="x" * 51, bio="Words")
    assert somebody.status == 400
    fields = somebody.page.form("/me", action="profile").fields
    assert (fields["display_name"], fields["bio"]) == ("x" * 51, "Words")
    somebody.submit(form, display_name="Fine", bio="x" * 501)
    assert somebody.status == 400
    assert somebody.page.form("/me", action="profile").fields["bio"] == "x" * 501
    somebody.submit(form, display_name="Fine", bio="Words")
    assert "Profile saved." in somebody.page.text
    assert somebody.page.form("/me", action="profile").fields["bio"] == "Words"


def test_password_change_needs_the_current_password(visitor: NewVisitor, stack: Stack) -> None:
    person, name = visitor(), new_name("careful")
    person.register(name)
    form = person.open("/me").form("/me", action="password")
    person.submit(form, current="wrong password", new="another password")
    assert person.status == 403
    assert "another password" not in person.page.source
    person.submit(form, current=PASSWORD, new="another password")
    assert "Password changed. You are signed out everywhere else." in person.page.text
    assert visitor().sign_in(name, PASSWORD)
    fresh = visitor()
    fresh.sign_in(name, "another password")
    assert fresh.status == 200


def test_account_deletion_needs_confirmation(visitor: NewVisitor) -> None:
    person, name = visitor(), new_name("leaving")
    person.register(name)
    form = person.open("/me").form("/me", action="erase")
    person.submit(form)
    assert person.status == 400
    person.submit(form, confirm="yes", password="wrong password")
    assert person.status == 403
    assert "wrong password" not in person.page.source
    person.submit(form, confirm="yes", password=PASSWORD)
    assert "can no longer be used to sign in" in person.page.text
    # What may be left for two seconds asks for pages that are made anew.
    assert {one.name.split("_")[1] for one in person.http.cookies} <= {BYPASS}
    person.sign_in(name)
    assert person.status == 401
    person.register(name)
    assert person.status == 200
