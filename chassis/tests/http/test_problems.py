"""All errors have the same format, without details of the implementation."""

import io

import pytest

from chassis.http.app import MAX_DEPTH


def is_problem(response, status, *fields):
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    problem = response.get_json()
    assert {"type", "title", "status", "detail"} <= problem.keys()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert tuple(error["field"] for error in problem.get("errors", [])) == fields
    assert "Traceback" not in response.text
    assert response.headers["X-Served-By"] == "notes/r7"
    assert response.headers["X-Request-Id"]
    assert response.headers["Cache-Control"] == "no-store"


def post(client, data, content_type="application/json"):
    return client.post("/api/notes", data=data, content_type=content_type)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nope",
        "/api",
        "/api/nope",
        "/api/notes/",
        "/api/notes/%00",
        "/api/notes/%ff",
        "/api/notes/abc%0A",
        "/api/notes/a%20b",
        "/api/notes/a%2Fb",
        "/api/notes/%C3%A9",
        "/api/notes/..%2f..",
        "/api/notes/" + "a" * 65,
    ],
)
def test_unknown_address_is_404(client, path):
    is_problem(client.get(path), 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "FOO"])
def test_another_method_is_405_and_names_those_that_are_taken(client, method):
    response = client.open("/api/notes", method=method)
    is_problem(response, 405)
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/vnd.api+json", "?"],
)
def test_another_content_type_is_415(client, content_type):
    is_problem(post(client, b'{"text": "a"}', content_type), 415)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_may_be_named_in_other_ways(client, content_type):
    assert post(client, b'{"text": "a"}', content_type).status_code == 201


def test_body_over_256_kib_is_413(client):
    assert post(client, b'{"text": "a"}'.ljust(256 * 1024)).status_code == 201
    is_problem(post(client, b'{"text": "a"}'.ljust(256 * 1024 + 1)), 413)


def test_body_over_256_kib_of_unknown_length_is_413(client):
    response = client.post(
        "/api/notes",
        input_stream=io.BytesIO(b'{"text": "a"}'.ljust(256 * 1024 + 1)),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    is_problem(response, 413)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"text": "a"',
        b"{'text': 'a'}",
        b"text=a",
        b'{"text": "\xff"}',
        b'{"text": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"text": "a"}',
        '{"text": "a"}'.encode("utf-16"),
        b'{"text": "a", "count": ' + b"9" * 5000 + b"}",
        b'{"text": "a\nb"}',
        b"[]",
        b"null",
        b"true",
        b"1",
        b'"text"',
    ],
)
def test_body_without_a_json_object_in_utf_8_is_400(client, data):
    is_problem(post(client, data), 400, "")


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 60_000,
        b'{"text":' * 7_000,
        b'{"text": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"text": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"text": ' + b"[" * 25 + b"]" * 25 + b"}",
        b'{"a":' * 900 + b"1" + b"}" * 900,
    ],
)
def test_deep_json_is_400(client, data):
    is_problem(post(client, data), 400, "")


@pytest.mark.parametrize(("lists", "field"), [(MAX_DEPTH - 1, "text"), (MAX_DEPTH, "")])
def test_json_may_be_nested_as_deeply_as_the_limit(client, lists, field):
    # The object itself is the first level; within the limit, only the field's type is wrong.
    is_problem(post(client, b'{"text": ' + b"[" * lists + b"]" * lists + b"}"), 400, field)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"{}", "text"),
        (b'{"text": null}', "text"),
        (b'{"text": 1}', "text"),
        (b'{"text": ["a"]}', "text"),
        (b'{"text": {"a": "b"}}', "text"),
        (b'{"text": NaN}', "text"),
        (b'{"text": "a\\u0000b"}', "text"),
        (b'{"text": "a\\ud800b"}', "text"),
        (b'{"text": "a\\udc00"}', "text"),
        (b'{"text": "%s"}' % (b"x" * 101), "text"),
        (b'{"text": "a", "title": "b\\nc"}', "title"),
        (b'{"text": "a", "title": "b\\u0000"}', "title"),
        (b'{"text": "a", "title": "b\\u0085"}', "title"),
        (b'{"text": "a", "count": "1"}', "count"),
        (b'{"text": "a", "count": 1.0}', "count"),
        (b'{"text": "a", "count": true}', "count"),
        (b'{"text": "a", "count": 1e999}', "count"),
        (b'{"text": "a", "other": 1}', "other"),
        (b'{"text": "a", "": 1}', ""),
        (b'{"text": "a", "\\u0000": 1}', "\0"),
        (b'{"text": "a", "\\ud800": 1}', ""),
    ],
)
def test_invalid_field_is_400_and_named(client, data, field):
    is_problem(post(client, data), 400, field)


def test_all_invalid_fields_are_named_together_and_not_echoed(client):
    response = post(client, b'{"text": 12345, "count": "67890", "other": "abcde"}')
    is_problem(response, 400, "text", "count", "other")
    assert not any(value in response.text for value in ("12345", "67890", "abcde"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=", "limit"),
        ("limit=-1", "limit"),
        ("limit=%2B1", "limit"),
        ("limit=1.0", "limit"),
        ("limit=1_0", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("cursor=", "cursor"),
        ("cursor=" + "x" * 1025, "cursor"),
        ("page=2", "page"),
        ("Limit=2", "Limit"),
        ("%00=2", "\0"),
    ],
)
def test_invalid_query_is_400_and_named(client, query, field):
    is_problem(client.get(f"/api/notes?{query}"), 400, field)


def test_crash_reveals_no_details(client):
    response = client.post("/api/notes/crash", json={"text": "a"})
    is_problem(response, 500)
    assert "engine" not in response.text
    assert ".py" not in response.text


def test_missing_session_is_401_with_www_authenticate(client):
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
        response = client.get("/api/notes/mine", headers=headers)
        is_problem(response, 401)
        assert response.headers["WWW-Authenticate"] == "Bearer"
