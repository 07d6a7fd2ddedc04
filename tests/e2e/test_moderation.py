"""Moderation through the pages, and its effect for others, before and after the split."""

import re

import pytest

from tests.e2e.conftest import NewVisitor, Settle, new_name
from tests.e2e.support.html import Page
from tests.e2e.support.visitor import PASSWORD, Visitor
from tests.support.eventually import EventSettling
from tests.support.harness import Stack

CHANGING = re.compile(r"(just now|\d+ \w+ ago)")


def _moderator(stack: Stack, name: str) -> Visitor:
    visitor = Visitor(stack.base_url)
    visitor.register(name)
    stack.moderator(name)
    visitor.http.cookies.clear()
    visitor.sign_in(name)
    return visitor


def _person(visitor: Visitor) -> str:
    """Return the path of the visitor's own page."""
    return visitor.open("/me").links["View your public profile"]


def _does(page: Page, path: str, **fields: str) -> bool:
    forms = [form for form in page.forms if form.action == path]
    return any(fields.items() <= form.fields.items() for form in forms)


def test_moderation_of_a_profile_reads_the_same_before_and_after(
    before: Stack, after: Stack
) -> None:
    name, moderator_name = new_name("watched"), new_name("watcher")
    seen = []
    notices = {
        ("suspended", "true"): "User suspended.",
        ("suspended", "false"): "Suspension lifted.",
        ("role", "moderator"): "User updated.",
        ("role", "member"): "User updated.",
    }
    for stack in (before, after):
        texts = []
        person = Visitor(stack.base_url)
        person.register(name)
        path = _person(person)
        moderator = _moderator(stack, moderator_name)
        texts.append(moderator.open(path).text)
        for (field, value), notice in notices.items():
            EventSettling(stack).wait()
            moderator.open(path)
            form = moderator.page.form(f"{path}/moderate", **{field: value})
            confirmed = {"password": PASSWORD} if field == "role" else {}
            texts.append(moderator.submit(form, **confirmed).text)
            assert notice in moderator.page.text
            texts.append(Visitor(stack.base_url).open(path).text)
        seen.append([CHANGING.sub("(a time)", text) for text in texts])
    assert seen[0] == seen[1]


def test_suspended_user_cannot_write_and_sees_the_reason(
    stack: Stack, visitor: NewVisitor, settle: Settle
) -> None:
    person = visitor()
    person.register(new_name("suspended"))
    person.open_thread("A thread of before", "A post of before")
    thread = person.path.partition("?")[0]
    form = person.page.form(thread)
    moderator = _moderator(stack, new_name("moderator"))
    path = _person(person)
    moderator.submit(moderator.open(path).form(f"{path}/moderate", suspended="true"))
    settle()
    person.submit(form, body="Words that are kept")
    assert person.status == 403
    assert "Words that are kept" in person.page.source
    assert "suspended" in person.page.text
    page = person.open_thread("A thread for later", "Words that are kept")
    assert person.status == 403
    assert "Words that are kept" in page.source
    person.http.cookies.clear()
    person.open(thread)
    assert person.status == 200


def test_only_moderators_see_and_use_moderation(
    stack: Stack, visitor: NewVisitor, somebody: Visitor
) -> None:
    somebody.open_thread("A thread", "A post")
    thread = somebody.path.partition("?")[0]
    other = visitor()
    other.register(new_name("other"))
    path = _person(other)
    for forbidden, fields in (
        (f"{path}/moderate", {"suspended": "true"}),
        (f"{path}/moderate", {"role": "moderator", "password": PASSWORD}),
        (f"{thread}/lock", {"locked": "true"}),
    ):
        page = somebody.open(thread if "lock" in forbidden else path)
        assert not _does(page, forbidden)
        token = next(form.fields["csrf_token"] for form in page.forms if form.fields)
        somebody.send(forbidden, fields | {"csrf_token": token})
        assert somebody.status == 403
    moderator = _moderator(stack, new_name("moderator"))
    moderator.submit(moderator.open(thread).form(f"{thread}/lock", locked="true"))
    assert "This thread is locked" in visitor().open(thread).text
    post = next(form for form in moderator.page.forms if form.action.startswith("/posts/"))
    moderator.submit(post)
    assert "This post was deleted." in visitor().open(thread).text


@pytest.mark.parametrize("odd", [{}, {"suspended": "perhaps"}, {"role": "admin"}])
def test_invalid_request_of_a_moderator_changes_nothing(
    odd: dict[str, str], stack: Stack, somebody: Visitor
) -> None:
    path = _person(somebody)
    moderator = _moderator(stack, new_name("moderator"))
    token = moderator.open("/me").form("/me", action="profile").fields["csrf_token"]
    moderator.send(f"{path}/moderate", odd | {"csrf_token": token})
    assert moderator.status == 400


def test_posts_of_an_erased_user_stay_without_their_name(
    visitor: NewVisitor, settle: Settle
) -> None:
    person, name = visitor(), new_name("leaving")
    person.register(name, display_name="Leaving Soon")
    person.open_thread("A thread that stays", "A post that stays")
    thread, path = person.path.partition("?")[0], _person(person)
    person.submit(person.open("/me").form("/me", action="erase"), confirm="yes", password=PASSWORD)
    settle()
    nobody = visitor()
    assert "Leaving Soon" not in nobody.open("/").source
    page = nobody.open(thread)
    assert "former member" in page.text
    assert "A post that stays" in page.text
    assert "Leaving Soon" not in page.source
    assert path not in page.links.values()
    nobody.open(path)
    assert nobody.status == 404
    nobody.sign_in(name, PASSWORD)
    assert nobody.status == 401


def test_deleted_thread_leaves_every_page(
    stack: Stack, visitor: NewVisitor, somebody: Visitor, settle: Settle
) -> None:
    somebody.open_thread("A thread to be deleted", "A post to be deleted")
    thread, path = somebody.path.partition("?")[0], _person(somebody)
    moderator = _moderator(stack, new_name("moderator"))
    moderator.submit(moderator.open(thread).form(f"{thread}/delete"))
    settle()
    nobody = visitor()
    for page in (nobody.open("/"), nobody.open(path)):
        assert nobody.status == 200
        assert "to be deleted" not in page.text
    nobody.open(thread)
    assert nobody.status == 404
