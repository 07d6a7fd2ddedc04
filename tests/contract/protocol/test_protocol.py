"""Methods, headers and paths: HTTP's requirements for every response."""

import re
import uuid
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.contract.support.client import TIMEOUT, Client
from tests.contract.support.forum import Forum
from tests.contract.support.people import Person
from tests.contract.support.selection import at_both_sides
from tests.contract.support.writing import NOWHERE, open_thread

pytestmark = at_both_sides
WRONG = "urn:problem:wrong-credentials"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
READ = {"GET", "HEAD", "OPTIONS"}
ONE = READ | {"PATCH", "DELETE"}
ALLOWED = {
    "/api/users": READ | {"POST"},
    f"/api/users/{NOWHERE}": ONE,
    f"/api/users/{NOWHERE}/erasure": READ,
    "/api/users/me/password": {"PUT", "OPTIONS"},
    "/api/users/me/sessions": {"DELETE", "OPTIONS"},
    "/api/threads": READ | {"POST"},
    f"/api/threads/{NOWHERE}": ONE,
    "/api/posts": READ | {"POST"},
    f"/api/posts/{NOWHERE}": ONE,
    f"/api/posts/in-thread/{NOWHERE}": READ,
    f"/api/posts/by-user/{NOWHERE}": READ,
}
# A person's id could be any of these names, so `/api/users/{id}` handles the methods they lack.
NAMES_LIKE_IDS = {
    "/api/users/me": READ,
    "/api/users/sessions": {"POST", "DELETE"},
}
NOTHING_THERE = (
    "/api", "/api/", "/api/nothing", "/api/postscript", "/api/users/", "/api/threads/",
    "/api/posts/", "/api/posts/in-thread/", "/api/posts/by-user/",
    "/api/users/me/", "/api/users/me/password/", "/api/users/sessions/1", "/api/threads/1/posts",
    "/api/posts/in-thread/1/2", "/api/openapi.json", "/api/users.json", "/api/v1/users",
    "/api/graphql", "/api/users/openapi.yaml",
)  # fmt: skip


@pytest.mark.parametrize("path", ALLOWED)
def test_unsupported_method_is_405_with_the_allowed_ones(path: str, ada: Person) -> None:
    for method in sorted(METHODS - ALLOWED[path]):
        answer = ada.client.send(method, path, json={} if method[0] == "P" else None)
        answer.expect_status(405)
        assert set(answer.headers["Allow"].split(", ")) == ALLOWED[path], method


def test_unsupported_method_with_an_id_changes_nothing(ada: Person) -> None:
    for path, allowed in NAMES_LIKE_IDS.items():
        for method in sorted(METHODS - allowed - {"OPTIONS"}):
            body = {} if method in {"POST", "PUT", "PATCH", "DELETE"} else None
            answer = ada.client.send(method, path, json=body)
            assert answer.status in {400, 404, 405}, f"{method} {path}"


def test_large_body_does_not_hide_a_wrong_method_or_path(ada: Person) -> None:
    for size in (70_000, 500_000):
        body, headers = b"x" * size, {"Content-Type": "application/json"}
        ada.client.send("PUT", "/api/threads", body=body, headers=headers).refused(405)
        ada.client.send("POST", "/api/nothing", body=body, headers=headers).refused(404)


def test_head_is_get_without_the_body(ada: Person, anyone: Client) -> None:
    thread = open_thread(ada, "Heads")
    for path in ("/api/users", "/api/threads", ada.path, f"/api/threads/{thread['id']}"):
        read, head = anyone.get(path), anyone.send("HEAD", path)
        assert head.status == 200
        assert head.content == b""
        for header in ("Content-Type", "ETag", "Cache-Control"):
            assert head.headers.get(header) == read.headers.get(header)
    assert anyone.send("HEAD", f"/api/threads/{NOWHERE}").status == 404


def test_unknown_path_is_a_problem_too(anyone: Client) -> None:
    for path in NOTHING_THERE:
        for method in ("GET", "POST", "DELETE"):
            answer = anyone.send(method, path, json={} if method == "POST" else None)
            answer.refused(404)


def test_reserved_name_in_place_of_an_id_is_404(anyone: Client) -> None:
    for path in ("/api/users/jwks", "/api/posts/in-thread", "/api/posts/by-user"):
        anyone.get(path).refused(404)


def test_unknown_path_does_not_redirect(anyone: Client) -> None:
    """A slash too many is another path, not a detour that a POST would lose its body on."""
    for path in NOTHING_THERE:
        assert "Location" not in anyone.get(path).headers


def test_request_id_is_echoed(anyone: Client) -> None:
    for request_id in ("abc-123", "x" * 64, "A.b_c-1", str(uuid.uuid4())):
        for path in ("/api/users", "/api/threads", "/api/posts", f"/api/threads/{NOWHERE}", "/api"):
            answer = anyone.get(path, headers={"X-Request-Id": request_id})
            assert answer.headers["X-Request-Id"] == request_id


def test_invalid_request_id_is_replaced(anyone: Client) -> None:
    for odd in ("x" * 65, "two words", "semi;colon", '{"json"}', "é", "a,b"):
        for path in ("/api/users", "/api/threads", "/api/posts"):
            answer = anyone.get(path, headers={"X-Request-Id": odd})
            replaced = answer.headers["X-Request-Id"]
            assert replaced != odd
            assert re.fullmatch(r"[\w.-]{1,64}", replaced, re.ASCII)


def test_each_request_gets_an_id_of_its_own(anyone: Client) -> None:
    answers = [anyone.get("/api/threads") for _ in range(3)]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 3


def test_long_lines_and_headers_get_regular_responses(anyone: Client) -> None:
    for length in (5_000, 9_000, 20_000):
        anyone.get("/api/threads", cursor="x" * length).refused(400, "about:blank", "cursor")
        anyone.get("/api/users", headers={"X-Long": "x" * length}).expect()
    anyone.get("/api/posts", headers={f"X-Many-{n}": "x" for n in range(85)}).expect()


def test_any_accept_header_is_accepted(anyone: Client) -> None:
    for accept in ("text/html", "application/xml", "*/*", "nonsense", ""):
        anyone.get("/api/threads", headers={"Accept": accept}).expect()


def test_json_is_utf8_without_escapes_or_with(ada: Person) -> None:
    thread = open_thread(ada, "Zwölf Boxkämpfer 🥊")
    escaped = b'{"title": "Zw\\u00f6lf Boxk\\u00e4mpfer \\ud83e\\udd4a"}'
    headers = {"Content-Type": "application/json"}
    same = ada.client.send("POST", "/api/threads", body=escaped, headers=headers).expect(201)
    assert same["title"] == thread["title"]


def test_repeated_field_is_accepted_or_refused(ada: Person) -> None:
    headers = {"Content-Type": "application/json"}
    body = b'{"title": "First", "title": "Second"}'
    answer = ada.client.send("POST", "/api/threads", body=body, headers=headers)
    assert answer.status in {201, 400}


def test_no_secret_is_logged(ada: Person) -> None:
    secrets = ["a very secret password", "not quite the password"]
    session = {"username": ada.username, "password": secrets[1]}
    ada.client.post("/api/users/sessions", session).refused(401, WRONG)
    change = {"current": secrets[1], "new": secrets[0]}
    ada.client.put("/api/users/me/password", change).refused(403, "urn:problem:wrong-password")
    ada.client.post("/api/users", {"username": "?", "password": secrets[0]}).refused(400)
    ada.client.get("/api/users/me", headers=ada.client.cookie(ada.client.token))
    ada.client.get("/api/threads", q=secrets[0]).expect()
    secrets += str(ada.client.token).split(".")[1:]
    stack = ada.client.forum.stack
    for part in stack.config.servers:
        log = stack.log(part)
        for secret in secrets:
            assert secret not in log, f"in the log of {part}"


@pytest.mark.parametrize("path", ["/", "/api/users", "/api/threads", "/api/posts"])
def test_request_with_two_hosts_is_refused(path: str, forum: Forum) -> None:
    address = urlsplit(forum.url)
    for second in (address.netloc, "elsewhere.example"):
        connection = HTTPConnection(address.netloc, timeout=TIMEOUT)
        with closing(connection):
            connection.putrequest("GET", path)  # sends the first
            connection.putheader("Host", second)
            connection.endheaders()
            assert connection.getresponse().status == 400
