"""`If-Match` in all its forms."""

from collections.abc import Callable

import pytest

from tests.contract.support.client import Answer
from tests.contract.support.forum import Settle
from tests.contract.support.people import CONFIRMED, Person
from tests.contract.support.writing import open_thread, reply

STALE = "urn:problem:stale"
ODD_TAGS = (
    'W/"1"', "1", '"01"', '"0"', '"-1"', '"1.0"', '"2"', '"x"', '""', "", '"', 'W/"1", "7"', '"1',
    "'1'", f'"{"9" * 26}"', "*x", '"٣"', ",", '"1" "2"', '"1"x',
)  # fmt: skip

Edit = Callable[[str | None], Answer]


@pytest.fixture(params=["user", "thread", "post"])
def edited(request: pytest.FixtureRequest, ada: Person, settle: Settle) -> tuple[str, Edit]:
    """Return a resource's path, and a function that edits it."""
    thread = open_thread(ada, "A thread")
    post = reply(ada, thread, "A post")
    if request.param == "thread":
        settle("posts", "threads")
    path, change = {
        "user": (ada.path, {"bio": "changed"}),
        "thread": (f"/api/threads/{thread['id']}", {"title": "changed"}),
        "post": (f"/api/posts/{post['id']}", {"body": "changed"}),
    }[request.param]
    return path, lambda tag: ada.client.patch(path, change, if_match=tag)


def test_wrong_etag_matches_nothing(edited: tuple[str, Edit], ada: Person) -> None:
    path, edit = edited
    before = ada.client.get(path)
    for odd in ODD_TAGS:
        # What is not ASCII goes out as the bytes of UTF-8.
        edit(odd.encode().decode("latin-1")).refused(412, STALE)
    after = ada.client.get(path)
    assert (after.content, after.etag) == (before.content, before.etag)


def test_current_etag_or_star_matches(edited: tuple[str, Edit]) -> None:
    _, edit = edited
    for version, form in enumerate(
        (None, "*", '"{}"', '"7", "{}"', '"7","{}" , "x"', 'W/"1", "{}"')
    ):
        edit(form and form.replace("{}", str(version + 1))).expect()


def test_edit_without_a_change_gets_a_new_etag(edited: tuple[str, Edit], ada: Person) -> None:
    path, edit = edited
    first, second = edit(None), edit(None)
    assert (first.etag, second.etag) == ('"2"', '"3"')
    assert ada.client.get(path).etag == '"3"'


def test_forbidden_edit_is_403_before_the_etag_is_checked(
    edited: tuple[str, Edit], ben: Person
) -> None:
    path, _ = edited
    change = {"/api/u": {"bio": "x"}, "/api/t": {"title": "x"}, "/api/p": {"body": "x"}}[path[:6]]
    ben.client.patch(path, change, if_match='"7"').refused(403)
    ben.client.delete(path, _confirmation(path), if_match='"7"').refused(403)


def test_deletion_checks_the_etag_too(edited: tuple[str, Edit], ada: Person) -> None:
    path, edit = edited
    edit(None).expect()
    body = _confirmation(path)
    ada.client.delete(path, body, if_match='"1"').refused(412, STALE)
    ada.client.delete(path, body, if_match='W/"2"').refused(412, STALE)
    assert ada.client.delete(path, body, if_match='"1", "2"').status in {202, 204}


def _confirmation(path: str) -> object:
    """Return the body of a deletion: of an account, it contains the password."""
    return CONFIRMED if path.startswith("/api/users") else None
