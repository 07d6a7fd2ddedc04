"""The page of the API: Swagger UI from this site only, at every stage."""

import re
from importlib.metadata import version

import pytest

from forum.app import create_app

DOCUMENTS = ("/api/users/openapi.json", "/api/threads/openapi.json", "/api/posts/openapi.json")


def test_page_links_to_the_document_of_each_domain(client):
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    assert tuple(re.findall(r'class="document" href="([^"]+)"', page.text)) == DOCUMENTS
    for address in DOCUMENTS:
        assert client.get(address).json["openapi"].startswith("3.1.")


def test_page_is_served_while_every_domain_is_extracted(make_settings):
    urls = {f"{domain}_url": "http://127.0.0.1:9" for domain in ("users", "threads", "posts")}
    app = create_app(make_settings(extracted="users,threads,posts", session_private_key="", **urls))
    page = app.test_client().get("/api/docs")
    app.extensions["database"].engine.dispose()
    assert page.status_code == 200
    assert tuple(re.findall(r'class="document" href="([^"]+)"', page.text)) == DOCUMENTS


def test_policy_allows_no_inline_script_or_style(client):
    page = client.get("/api/docs")
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["connect-src"] == "'self'"
    assert not re.search(r"<script(?![^>]+src=)|<style|\sstyle=|\son\w+=", page.text)
    assert "data:" not in client.get("/").headers["Content-Security-Policy"]


def test_assets_are_compressed_and_kept_for_ever(client):
    assets = re.findall(r'(?:src|href)="(/static/swagger-ui/[^"]+)"', client.get("/api/docs").text)
    assert len(assets) == 3
    for address in assets:
        packed = client.get(address, headers={"Accept-Encoding": "gzip"})
        assert packed.status_code == 200
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("name", ["index.css", "oauth2-redirect.html", "VERSION"])
def test_other_files_of_the_package_are_not_served(client, name):
    page = client.get("/api/docs").text
    (fingerprint,) = set(re.findall(r"/static/swagger-ui/(\w+)/", page))
    assert client.get(f"/static/swagger-ui/{fingerprint}/{name}").status_code == 404


def test_page_holds_nothing_of_its_reader(browser, ada, client):
    mine, anonymous = browser(ada).get("/api/docs"), client.get("/api/docs")
    assert mine.text == anonymous.text
    assert "Set-Cookie" not in anonymous.headers
    assert "csrf" not in anonymous.text
    again = client.get("/api/docs", headers={"If-None-Match": anonymous.headers["ETag"]})
    assert again.status_code == 304


def test_swagger_ui_renders_openapi_31(client):
    """The documents are OpenAPI 3.1, which Swagger UI understands since version 5."""
    assert int(version("flask-swagger-ui").partition(".")[0]) >= 5
