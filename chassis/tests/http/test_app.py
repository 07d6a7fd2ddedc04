"""Behaviour of every component's application: request ids, health, ETags, sessions."""

import re

import pytest

from tests.support.people import SESSION_COOKIE


def test_response_names_its_request_and_its_server(client):
    response = client.get("/api/notes", headers={"X-Request-Id": "trace-1.a_b"})
    assert response.headers["X-Request-Id"] == "trace-1.a_b"
    assert response.headers["X-Served-By"] == "notes/r7"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "é", "<script>", "a;b", "%0d%0a"])
def test_invalid_request_id_is_replaced(client, given):
    made = client.get("/api/notes", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert made != given
    assert len(made) == 36


def test_each_request_gets_an_id_of_its_own(client):
    ids = {client.get("/api/notes").headers["X-Request-Id"] for _ in range(10)}
    assert len(ids) == 10


def test_component_is_alive_despite_failing_dependencies(client, health):
    health.broken = True
    assert client.get("/healthz").get_json() == {"status": "alive"}


def test_component_is_ready_when_its_checks_pass(client, health):
    response = client.get("/readyz")
    assert (response.status_code, "X-Envoy-Degraded" in response.headers) == (200, False)
    health.broken = True
    response = client.get("/readyz")
    # Envoy still sends requests while there is no other instance.
    assert (response.status_code, response.headers["X-Envoy-Degraded"]) == (503, "true")
    assert response.get_json()["detail"] == "notes: The notes can't be reached right now."


@pytest.mark.parametrize(
    ("tag", "versions"),
    [
        ('"3"', [3]),
        ('"3", "4"', [3, 4]),
        (f'"3-{"0" * 24}", "4"', [3, 4]),
        (f'W/"3-{"0" * 24}"', []),
        (f'"{"0" * 24}"', []),
        ('"3-"', []),
        ('"3-x"', []),
        ('W/"3"', []),
        ("3", []),
        ('"0"', []),
        ('"03"', []),
        ('"-3"', []),
        ('"x"', []),
        ('""', []),
        ("", []),
        ('"' + "9" * 40 + '"', []),
    ],
)
def test_if_match_takes_strong_tags_of_versions(client, tag, versions):
    response = client.get("/api/notes/n1", headers={"If-Match": tag})
    assert response.get_json()["versions"] == versions


def test_read_has_a_tag_of_its_version_and_content(client):
    tags = [client.get(f"/api/notes/{note}/text").headers["ETag"] for note in ("n1", "n1", "n2")]
    assert tags[0] == tags[1] != tags[2]
    assert all(re.fullmatch('"3-[0-9a-f]{24}"', tag) for tag in tags)


def test_read_of_a_known_representation_is_304(client):
    path = "/api/notes/n1/text"
    read = client.get(path)
    for method in (client.get, client.head):
        again = method(path, headers={"If-None-Match": f'W/{read.headers["ETag"]}, "x"'})
        assert (again.status_code, again.data) == (304, b"")
        assert (again.headers["ETag"], again.headers["Cache-Control"]) == (
            read.headers["ETag"],
            "no-cache",
        )
        assert "Content-Type" not in again.headers
    other = client.get(path, headers={"If-None-Match": '"3"'})
    assert (other.status_code, other.data) == (200, read.data)


def test_write_ignores_if_none_match(client):
    made = client.post("/api/notes", json={"text": "x"}, headers={"If-None-Match": "*"})
    assert (made.status_code, "ETag" in made.headers) == (201, False)


def test_session_comes_as_a_bearer_token_or_as_a_cookie(client, sign_in):
    ann, bob = sign_in(), sign_in()
    assert client.get("/api/notes/mine", headers=ann.headers).get_json() == {"subject": ann.id}
    client.set_cookie(SESSION_COOKIE, bob.token)
    assert client.get("/api/notes/mine").get_json() == {"subject": bob.id}
    # What a caller says outright goes before what the browser sends by itself.
    assert client.get("/api/notes/mine", headers=ann.headers).get_json() == {"subject": ann.id}
    broken = {"Authorization": "Bearer broken"}
    assert client.get("/api/notes/mine", headers=broken).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://8080.example"}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({}, 200),
    ],
)
def test_write_with_a_cookie_is_refused_from_other_sites(client, sign_in, headers, status):
    ann = sign_in()
    client.set_cookie(SESSION_COOKIE, ann.token)
    assert client.delete("/api/notes/mine", headers=headers).status_code == status
    assert client.get("/api/notes/mine", headers=headers).status_code == 200
    # Scripts of other sites have no token to send.
    assert client.delete("/api/notes/mine", headers=headers | ann.headers).status_code == 200


def test_no_other_site_embeds_a_response(client):
    response = client.get("/api/notes")
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in response.headers
