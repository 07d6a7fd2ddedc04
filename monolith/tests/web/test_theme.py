"""The colour theme, chosen in the browser."""

import pytest

from tests.support.people import THEME_COOKIE


@pytest.fixture
def empty_url(tmp_path):
    """Use SQLite only: these tests don't depend on the database."""
    return f"sqlite:///{tmp_path}/forum.db"


def test_chosen_theme_stays_and_can_be_reset(client):
    headers = {"Referer": "http://localhost/?sort=newest"}
    chosen = client.post("/theme", data={"theme": "dark"}, headers=headers)
    assert (chosen.status_code, chosen.headers["Location"]) == (303, "/?sort=newest#theme")
    page = client.get("/")
    assert '<html lang="en" data-theme="dark">' in page.text
    assert "Set-Cookie" not in page.headers
    client.post("/theme", data={"theme": "system"})
    assert "data-theme" not in client.get("/").text


@pytest.mark.parametrize("odd", ["", "x", '"><script>'])
def test_invalid_theme_is_ignored_and_removed(client, odd):
    client.set_cookie(THEME_COOKIE, odd)
    assert "data-theme" not in client.get("/").text
    assert f"{THEME_COOKIE}=;" in client.post("/theme", data={"theme": odd}).headers["Set-Cookie"]


def test_another_site_cannot_change_the_theme(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.example//evil.example"}
    assert client.post("/theme", data={"theme": "dark"}, headers=headers).status_code == 403
