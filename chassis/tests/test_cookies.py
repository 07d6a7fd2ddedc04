"""Names of cookies: another for each forum of a host, and bound to the host under HTTPS."""

import pytest

from chassis.cookies import suffix
from tests.support.people import SECRET_KEY, SESSION_COOKIE

MINE = "/api/notes/mine"
HTTPS = {"base_url": "https://forum.example"}


def test_forums_with_other_secrets_have_other_cookies() -> None:
    assert suffix(SECRET_KEY) == suffix(SECRET_KEY) != suffix(SECRET_KEY + "!")
    assert len(suffix(SECRET_KEY)) == 8


def test_cookie_of_another_forum_is_ignored(client, sign_in):
    ann = sign_in()
    other = f"forum_session_{suffix('another secret')}"
    client.set_cookie(other, "a token of the other one")
    assert client.get(MINE).status_code == 401
    client.set_cookie(SESSION_COOKIE, ann.token)
    assert client.get(MINE).json == {"subject": ann.id}


def test_browser_binds_the_cookie_to_its_host_under_https(app, sign_in):
    client, ann = app.test_client(use_cookies=False), sign_in()
    headers = {"Cookie": f"{SESSION_COOKIE}={ann.token}"}
    # Another host of the domain could have set this one.
    assert client.get(MINE, headers=headers, **HTTPS).status_code == 401
    headers = {"Cookie": f"__Host-{SESSION_COOKIE}={ann.token}"}
    assert client.get(MINE, headers=headers, **HTTPS).json == {"subject": ann.id}
    assert client.get(MINE, headers=headers).status_code == 401


@pytest.mark.parametrize(("address", "sent"), [("https", True), ("http", False)])
def test_browser_is_told_to_stay_with_https(client, address, sent):
    answer = client.get("/healthz", base_url=f"{address}://forum.example")
    assert (answer.headers.get("Strict-Transport-Security") == "max-age=31536000") == sent
