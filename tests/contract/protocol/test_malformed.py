"""Bad input of every kind, for every operation with a body: refused, without side effects."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.support.client import TIMEOUT, Answer
from tests.contract.support.people import CONFIRMED, PASSWORD, People, Person
from tests.contract.support.selection import at_both_sides
from tests.contract.support.writing import open_thread, reply

pytestmark = at_both_sides
JSON = {"Content-Type": "application/json"}
NO_JSON = (
    b"", b" ", b"{", b"{}x", b"{'a': 1}", b'{"a":1,}', b"\xff\xfe{}", b'{"a":"\xff"}',
    b'{"a":"\xed\xa0\x80"}', b'{"a": NaN', b"\x00", b"[" * 5_000, b'{"a":' * 5_000,
    '{"a": 1}'.encode("utf-16"), b"\xef\xbb\xbf{}",
)  # fmt: skip
NO_OBJECT = (b"null", b"true", b"1", b'"text"', b"[]", b"[{}]", b"NaN", b"-Infinity")
OTHER_TYPES = (
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/problem+json", "application/jsonp", "text/json", "json", "", "*/*",
)  # fmt: skip


@dataclass(frozen=True)
class Write:
    """An operation with a valid body."""

    person: Person
    method: str
    path: str
    body: dict[str, Any]

    def send(self, body: bytes, headers: dict[str, str]) -> Answer:
        """Send it with another body."""
        return self.person.client.send(self.method, self.path, body=body, headers=headers)

    def in_chunks(self, size: int) -> Answer:
        """Send an unknown field in a chunked body."""
        client = self.person.client
        parts = iter([b'{"a":"', b"x" * size, b'"}'])
        headers = {"Authorization": f"Bearer {client.token}", **JSON}
        url = client.forum.url + self.path
        response = client.http.request(
            self.method, url, data=parts, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
        client.note(response, self.path, {"Transfer-Encoding": "chunked"}, b"")
        return Answer(response)

    def with_field(self, name: str, value: object) -> Answer:
        """Send it with another value in one field."""
        body = self.body | {name: value}
        return self.person.client.send(self.method, self.path, json=body)


@pytest.fixture
def writes(people: People) -> Iterator[list[Write]]:
    """Provide every operation, and check that no request changed anything."""
    ada = people.member("ada")
    client = ada.client
    with client.transcript.paused():
        home = open_thread(ada, "A thread")
        post = reply(ada, home, "A post")
        thread = open_thread(ada, "Another, without posts")
    thread_path, post_path = f"/api/threads/{thread['id']}", f"/api/posts/{post['id']}"
    new_user = {"username": people.name("new"), "password": PASSWORD}
    credentials = {"username": ada.username, "password": PASSWORD}
    passwords = {"current": PASSWORD, "new": "another password"}
    new_post = {"thread_id": home["id"], "body": "x"}
    shown = (
        "/api/users?limit=1",
        ada.path,
        "/api/threads?limit=1",
        thread_path,
        "/api/posts?limit=1",
        post_path,
    )
    before = [client.get(path) for path in shown]
    yield [
        Write(ada, "POST", "/api/users", new_user),
        Write(ada, "POST", "/api/users/sessions", credentials),
        Write(ada, "PUT", "/api/users/me/password", passwords),
        Write(ada, "DELETE", ada.path, CONFIRMED),
        Write(ada, "PATCH", ada.path, {"bio": "x"}),
        Write(ada, "POST", "/api/threads", {"title": "x"}),
        Write(ada, "PATCH", thread_path, {"title": "x"}),
        Write(ada, "POST", "/api/posts", new_post),
        Write(ada, "PATCH", post_path, {"body": "x"}),
    ]
    for earlier in before:
        later = client.get(earlier.target)
        assert later.content == earlier.content
        assert later.headers.get("ETag") == earlier.headers.get("ETag")
    ada.sign_in()


def test_malformed_json_is_refused(writes: list[Write]) -> None:
    for write in writes:
        for text in NO_JSON:
            write.send(text, JSON).refused(400, "about:blank", "")


def test_json_without_an_object_is_refused(writes: list[Write]) -> None:
    for write in writes:
        for text in NO_OBJECT:
            write.send(text, JSON).refused(400, "about:blank", "")


def test_another_content_type_is_refused(writes: list[Write]) -> None:
    for write in writes:
        client = write.person.client
        for content_type in OTHER_TYPES:
            headers = {"Content-Type": content_type}
            client.send(write.method, write.path, json=write.body, headers=headers).refused(415)
        write.send(b"{}", {}).refused(415)
        write.send(b"", {}).refused(415)


def test_content_type_parameter_is_accepted(writes: list[Write]) -> None:
    for write in writes:
        headers = {"Content-Type": "Application/JSON; charset=utf-8"}
        write.send(b"[]", headers).refused(400, "about:blank", "")


def test_large_body_is_refused(writes: list[Write]) -> None:
    for write in writes:
        write.send(b'{"a":"' + b"x" * 262_144 + b'"}', JSON).refused(413)
        write.send(b" " * 262_145, JSON).refused(413)
        write.send(b"x" * 400_000, {"Content-Type": "text/plain"}).refused(413)


def test_chunked_body_is_treated_as_any_other(writes: list[Write]) -> None:
    for write in writes:
        write.in_chunks(262_144).refused(413)
        write.in_chunks(100).refused(400)


def test_unknown_field_is_named(writes: list[Write]) -> None:
    for write in writes:
        for name in ("surprise", "__proto__", "is_admin", "ünknown", "a.b", "x" * 300):
            write.with_field(name, 1).refused(400, "about:blank", name)


def test_field_of_the_wrong_type_is_named(writes: list[Write]) -> None:
    for write in writes:
        for name in write.body:
            for wrong in (None, 7, 7.5, True, [], ["x"], {}, {"a": "x"}):
                write.with_field(name, wrong).refused(400, "about:blank", name)


def test_invalid_text_is_refused_in_every_field(writes: list[Write]) -> None:
    for write in writes:
        for name, value in write.body.items():
            write.with_field(name, f"{value}\x00").refused(400, "about:blank", name)
            for surrogate in ("\ud800", "\udfff", "\udc00\ud800"):
                write.with_field(name, value + surrogate).refused(400)


def test_writes_need_a_session(writes: list[Write]) -> None:
    for write in writes:
        if write.path in {"/api/users", "/api/users/sessions"}:
            continue  # Open to anyone.
        client = write.person.client
        for headers in (
            {"Authorization": "Bearer nonsense"},
            {"Authorization": "", "Cookie": "x=y"},
        ):
            client.send(write.method, write.path, json=write.body, headers=headers).refused(401)
