"""Addresses that browsers, crawlers and people ask for by themselves."""

import pytest


def test_icon_is_served_under_its_former_name(client):
    icon = client.get("/favicon.ico")
    assert (icon.status_code, icon.mimetype) == (200, "image/svg+xml")
    assert icon.data.startswith(b"<svg")
    assert "Cookie" not in icon.headers.get("Vary", "")


def test_crawlers_get_their_rules(client):
    rules = client.get("/robots.txt")
    assert (rules.status_code, rules.mimetype) == (200, "text/plain")
    assert "User-agent: *\n" in rules.text
    assert "Disallow: /api/\n" in rules.text
    assert "Disallow: /\n" not in rules.text


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/sign-in/?next=/me", "/sign-in?next=/me"),
        ("/threads/new//", "/threads/new"),
        ("/threads/1/", "/threads/1"),
        ("/api/docs/", "/api/docs"),
    ],
)
def test_slash_at_the_end_leads_to_the_page(client, path, target):
    for call in (client.get, client.head):
        moved = call(path)
        assert (moved.status_code, moved.headers["Location"]) == (308, target)


@pytest.mark.parametrize(
    "path", ["/nothing/", "/nothing//", "/api/threads/", "/theme/", "/healthz/x/", "/threads/"]
)
def test_slash_at_the_end_of_no_page_is_not_found(client, path):
    assert client.get(path).status_code == 404


def test_slash_at_the_end_leads_to_no_other_site(client):
    page = client.get("/x", environ_overrides={"PATH_INFO": "//sign-in/"})
    assert not page.headers.get("Location", "").startswith("//")


def test_form_with_a_slash_at_its_end_is_not_moved(client):
    assert client.post("/sign-in/", data={"username": "ada"}).status_code == 404
