"""Compression and conditional responses of pages and files."""

import gzip
import re

import pytest

from forum.web.assets import Assets

PAGES = ["/", "/?sort=newest", "/?q=words", "/register", "/sign-in", "/status"]


@pytest.fixture
def thread(client, ada):
    made = client.post("/api/threads", json={"title": "A thread"}, headers=ada.headers).json
    body = {"thread_id": made["id"], "body": "Words. " * 200}
    client.post("/api/posts", json=body, headers=ada.headers)
    return f"/threads/{made['id']}"


def test_matching_etag_of_an_anonymous_page_gets_304(client, thread, ada):
    for path in (*PAGES, thread, f"/users/{ada.id}"):
        page = client.get(path)
        again = client.get(path, headers={"If-None-Match": page.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["Content-Security-Policy"]
        assert {"Cookie", "Accept-Encoding"} <= again.vary
        assert "Set-Cookie" not in again.headers


def test_changed_page_is_sent_again(client, thread, ada):
    old = client.get(thread).headers["ETag"]
    body = {"thread_id": thread.rpartition("/")[2], "body": "Another"}
    client.post("/api/posts", json=body, headers=ada.headers)
    page = client.get(thread, headers={"If-None-Match": old})
    assert page.status_code == 200
    assert page.headers["ETag"] != old


def test_page_of_a_session_and_errors_have_no_etag(browser, ada, client, thread):
    assert "ETag" not in browser(ada).get(thread).headers
    assert "ETag" not in client.get("/nothing").headers


def test_page_is_compressed_when_accepted(client, browser, ada, thread):
    for reader in (client, browser(ada)):
        plain = reader.get(thread)
        packed = reader.get(thread, headers={"Accept-Encoding": "gzip, br"})
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
        shown = gzip.decompress(packed.data).decode()
        assert _without_tokens(shown) == _without_tokens(plain.text)
        refused = reader.get(thread, headers={"Accept-Encoding": "gzip;q=0"})
        assert "Content-Encoding" not in refused.headers


def test_csrf_token_is_masked_differently_on_each_page(browser, ada, thread):
    mine = browser(ada)
    tokens = [
        re.findall(r'name="csrf_token" value="([^"]+)"', mine.get(thread).text) for _ in range(2)
    ]
    assert not set(tokens[0]) & set(tokens[1])
    for token in (tokens[0][0], tokens[1][0]):
        sent = mine.post(thread, data={"csrf_token": token, "body": f"By {token[:4]}"})
        assert sent.status_code == 303


def test_files_are_compressed_and_kept_for_ever(client):
    for name in ("style.css", "forum.js", "write.js", "favicon.svg"):
        address = Assets().address(name)
        plain = client.get(address)
        packed = client.get(address, headers={"Accept-Encoding": "gzip"})
        assert gzip.decompress(packed.data) == plain.data
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get(Assets().address("forum.js")).mimetype == "text/javascript"


def test_address_of_files_changes_with_any_of_them(tmp_path):
    (tmp_path / "a.js").write_text("import './b.js'")
    (tmp_path / "b.js").write_text("1")
    first = Assets(tmp_path).address("a.js")
    assert Assets(tmp_path).address("a.js") == first
    (tmp_path / "b.js").write_text("2")
    assert Assets(tmp_path).address("a.js") != first


def _without_tokens(page):
    return re.sub(r'value="[0-9a-f-]{36,}"', "", page)
