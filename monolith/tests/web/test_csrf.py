"""CSRF protection: redirects after sign-in, and accepted forms."""

import pytest

from forum.web.csrf import local_path


@pytest.mark.parametrize("path", ["/", "/threads/1?order=newest#post-2", "/me", "/a//b", "/%5Cx"])
def test_path_on_this_site_is_kept(path):
    assert local_path(path) == path


@pytest.mark.parametrize(
    "target",
    [
        "",
        "threads",
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        "javascript:alert(1)",
        "http:/evil.example",
        " //evil.example",
        "//[",
        "//[::1",
        "http://[",
    ],
)
def test_other_targets_lead_to_the_front_page(target):
    assert local_path(target) == "/"


SENT_BY_OTHERS = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:81"},
    {"Origin": "http://["},
]


@pytest.mark.parametrize("headers", SENT_BY_OTHERS)
@pytest.mark.parametrize("path", ["/sign-in", "/register"])
def test_another_site_can_neither_register_nor_sign_in(client, register, headers, path):
    person = register()
    form = {"username": person.username, "password": "correct horse"}
    answer = client.post(path, data=form, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        # Behind a proxy that forwards a port.
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://8080.example"},
    ],
)
def test_sign_in_form_of_this_site_is_accepted(client, register, headers):
    person = register()
    form = {"username": person.username, "password": "correct horse", "next": "//evil.example"}
    answer = client.post("/sign-in", data=form, headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_cookie_is_secure_over_https(client, register):
    person = register()
    form = {"username": person.username, "password": "correct horse"}
    answer = client.post("/sign-in", data=form, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("token", [None, "", "0" * 64, "ü"])
def test_form_of_a_signed_in_user_needs_the_csrf_token(browser, ada, token):
    form = {"title": "A title", "body": "The text"} | (
        {} if token is None else {"csrf_token": token}
    )
    answer = browser(ada).post("/threads/new", data=form)
    assert answer.status_code == 403
    assert "The text" in answer.text, "what was typed is not lost"


def test_csrf_token_is_valid_for_one_session_only(browser, ada, bob, token_of):
    other = token_of(browser(bob))
    answer = browser(ada).post(
        "/threads/new", data={"title": "T", "body": "B", "csrf_token": other}
    )
    assert answer.status_code == 403
