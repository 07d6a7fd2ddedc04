"""`If-Match` and `If-None-Match` in all their forms."""

from collections.abc import Callable

import pytest

from tests.contract.support.client import Answer, Client
from tests.contract.support.forum import Settle
from tests.contract.support.people import CONFIRMED, Person
from tests.contract.support.selection import at_both_sides
from tests.contract.support.writing import NOWHERE, open_thread, reply
from tests.support.etags import version_of

STALE = "urn:problem:stale"
ODD_TAGS = (
    'W/"1"', "1", '"01"', '"0"', '"-1"', '"1.0"', '"2"', '"x"', '""', "", '"', 'W/"1", "7"', '"1',
    "'1'", f'"{"9" * 26}"', "*x", '"٣"', ",", '"1" "2"', '"1"x',
    '"1-"', '"1-x"', f'"{"0" * 24}"', f'"2-{"0" * 24}"', f'W/"1-{"0" * 24}"', f'"1-{"0" * 25}"',
)  # fmt: skip
UNKNOWN_TAGS = (
    '"1"', '"x"', '""', "", '"', ",", "x", "*x", '"*"', "*, *", f'"1-{"0" * 24}"', f'"{"0" * 24}"',
    "{bare}", "'{bare}'", '"{bare}', '{bare}"', '"{bare}"x', 'w/"{bare}"', 'W/ "{bare}"',
    '"{bare}" "x"',
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


@at_both_sides
def test_wrong_etag_matches_nothing(edited: tuple[str, Edit], ada: Person) -> None:
    path, edit = edited
    before = ada.client.get(path)
    for odd in ODD_TAGS:
        # What is not ASCII goes out as the bytes of UTF-8.
        edit(odd.encode().decode("latin-1")).refused(412, STALE)
    after = ada.client.get(path)
    assert (after.content, after.etag) == (before.content, before.etag)


@at_both_sides
def test_current_etag_or_star_matches(edited: tuple[str, Edit]) -> None:
    _, edit = edited
    for version, form in enumerate(
        (
            *(None, "*", '"{}"', '"7", "{}"', '"7","{}" , "x"', 'W/"1", "{}"'),
            # Of the full tag, only the version counts.
            f'"{{}}-{"0" * 24}"',
        )
    ):
        edit(form and form.replace("{}", str(version + 1))).expect()


def test_edit_without_a_change_gets_a_new_etag(edited: tuple[str, Edit], ada: Person) -> None:
    path, edit = edited
    first, second = edit(None), edit(None)
    assert (version_of(first.etag), version_of(second.etag)) == (2, 3)
    assert version_of(ada.client.get(path).etag) == 3


@at_both_sides
def test_forbidden_edit_is_403_before_the_etag_is_checked(
    edited: tuple[str, Edit], ben: Person
) -> None:
    path, _ = edited
    change = {"/api/u": {"bio": "x"}, "/api/t": {"title": "x"}, "/api/p": {"body": "x"}}[path[:6]]
    ben.client.patch(path, change, if_match='"7"').refused(403)
    ben.client.delete(path, _confirmation(path), if_match='"7"').refused(403)


@at_both_sides
def test_deletion_checks_the_etag_too(edited: tuple[str, Edit], ada: Person) -> None:
    path, edit = edited
    edit(None).expect()
    body = _confirmation(path)
    ada.client.delete(path, body, if_match='"1"').refused(412, STALE)
    ada.client.delete(path, body, if_match='W/"2"').refused(412, STALE)
    assert ada.client.delete(path, body, if_match='"1", "2"').status in {202, 204}


@pytest.fixture
def readable(ada: Person, settle: Settle) -> list[str]:
    """Return the paths of everything that can be read."""
    thread = open_thread(ada, "A thread")
    post = reply(ada, thread, "A post")
    settle()
    for key in ada.client.get("/api/users/jwks.json").expect()["keys"]:
        for field in ("n", "kid"):  # each stage has its own key
            ada.client.transcript.alias(key[field], field)
    return [
        *(ada.path, f"/api/threads/{thread['id']}", f"/api/posts/{post['id']}", "/api/users/me"),
        *(f"/api/users?ids={ada.id}", "/api/threads?q=nothing-has-this-title"),
        *(f"/api/posts/in-thread/{thread['id']}", f"/api/posts/by-user/{ada.id}"),
        *(f"/api/{domain}/openapi.json" for domain in ("users", "threads", "posts")),
        "/api/users/jwks.json",
    ]


def _conditional(client: Client, path: str, tags: str, method: str = "GET") -> Answer:
    return client.send(method, path, headers={"If-None-Match": tags})


def test_known_representation_is_304(readable: list[str], ada: Person) -> None:
    for path in readable:
        read = ada.client.get(path)
        tag = read.etag
        for form in (tag, f"W/{tag}", "*", f'"x", {tag}', f'W/"x",{tag} , "y,z"'):
            for method in ("GET", "HEAD"):
                answer = _conditional(ada.client, path, form, method)
                answer.expect_status(304)
                for header in ("ETag", "Cache-Control", "Vary", "X-Content-Type-Options"):
                    assert answer.headers.get(header) == read.headers.get(header)
        # On one connection, so that a body too many would be the next response.
        assert ada.client.get(path).content == read.content


@at_both_sides
def test_unknown_representation_is_read_anew(readable: list[str], ada: Person) -> None:
    for path in readable:
        read = ada.client.get(path)
        for form in UNKNOWN_TAGS:
            tags = form.replace("{bare}", read.etag.strip('"'))
            answer = _conditional(ada.client, path, tags)
            assert (answer.status, answer.content) == (200, read.content), tags


def test_edit_makes_a_known_representation_outdated(
    edited: tuple[str, Edit], ada: Person, ben: Person
) -> None:
    path, edit = edited
    old = ada.client.get(path).etag
    changed = edit(None)
    for client in (ada.client, ben.client):
        assert _conditional(client, path, old).content == changed.content
        _conditional(client, path, changed.etag).expect_status(304)


@at_both_sides
def test_refusals_take_precedence_over_304(ada: Person, anyone: Client) -> None:
    for path in (f"/api/threads/{NOWHERE}", f"/api/posts/{NOWHERE}", f"/api/users/{NOWHERE}"):
        _conditional(anyone, path, "*").refused(404)
    _conditional(anyone, "/api/users/me", ada.client.get("/api/users/me").etag).refused(401)
    _conditional(anyone, "/api/threads?limit=0", "*").refused(400)


def _confirmation(path: str) -> object:
    """Return the body of a deletion: of an account, it contains the password."""
    return CONFIRMED if path.startswith("/api/users") else None
