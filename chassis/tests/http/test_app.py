"""Behaviour of every component's application: request ids, health, ETags, sessions."""

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
