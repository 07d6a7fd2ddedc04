"""Shared pages: one rendering for many requests, at most a second old, and never for people who
have just written."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from flask import Flask, Response, request, template_rendered

from chassis import cookies
from forum.app import create_app
from forum.web import page_cache
from forum.web.page_cache import (
    BYPASS,
    MAX_PAGE_BYTES,
    MAX_PAGES,
    CachedPage,
    PageCache,
    PendingPage,
)
from monolith.tests.conftest import _dispose
from tests.support.people import SECRET_KEY

DOWN = "http://127.0.0.1:9"
A_PAGE = CachedPage((("Content-Type", "text/html"),), b"hello")


class Hand:
    """A manual clock."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def pages(clock) -> PageCache:
    return PageCache(clock)


def _make(pages, key, page=A_PAGE):
    making = pages.find(key)
    assert isinstance(making, PendingPage)
    pages.finish(making, page)


def test_page_is_made_once_and_shared_for_a_second(pages, clock):
    _make(pages, "/")
    clock.now += 0.999
    assert pages.find("/") == A_PAGE
    clock.now += 0.001
    assert isinstance(pages.find("/"), PendingPage)


def test_cache_period_begins_with_the_making_of_a_page(pages, clock):
    making = pages.find("/")
    clock.now += 0.6
    pages.finish(making, A_PAGE)
    assert pages.find("/") == A_PAGE
    clock.now += 0.4
    assert isinstance(pages.find("/"), PendingPage)


def test_concurrent_request_waits_for_the_page(pages):
    making = pages.find("/")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(pages.find, "/") for _ in range(8)]
        time.sleep(0.05)
        assert not any(one.done() for one in asked)
        pages.finish(making, A_PAGE)
        assert [one.result() for one in asked] == [A_PAGE] * 8


def test_waiting_request_makes_its_own_when_a_page_is_not_shared(pages):
    making = pages.find("/")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(pages.find, "/")
        pages.finish(making, None)
        assert asked.result() is None


def test_wait_for_a_page_is_at_most_its_ttl():
    pages = PageCache()
    pages.find("/")
    began = time.monotonic()
    assert pages.find("/") is None
    assert 0.9 < time.monotonic() - began < 2


def test_page_made_before_a_write_is_not_shared_afterwards(pages):
    before = pages.find("/")
    pages.clear()
    pages.finish(before, A_PAGE)
    assert isinstance(pages.find("/"), PendingPage)


def test_number_of_cached_pages_is_bounded(pages, clock):
    for number in range(MAX_PAGES + 1):
        _make(pages, number)
        clock.now += 0.0001
    assert isinstance(pages.find(0), PendingPage)
    assert pages.find(MAX_PAGES) == A_PAGE


# Of the whole application, or of a small one whose pages are countable.


@pytest.fixture
def made() -> list[str]:
    return []


@pytest.fixture
def small(made) -> Flask:
    app = Flask(__name__)
    page_cache.install(app)

    @app.after_request
    def edition(response: Response) -> Response:
        if not page_cache.is_from_cache():
            response.set_etag("1")
            response.make_conditional(request)
        return response

    @app.get("/threads/<name>")
    def thread(name: str) -> Response | tuple[str, int]:
        made.append(name)
        if name == "broken":
            return "no", 503
        return Response("x" * (MAX_PAGE_BYTES + 1) if name == "huge" else f"page {len(made)}")

    @app.get("/status")
    def status() -> str:
        made.append("status")
        return "now"

    return app


def test_shared_response_is_the_same_down_to_its_headers(small):
    client = small.test_client()
    first, second = client.get("/threads/a"), client.get("/threads/a")
    assert first.data == second.data == b"page 1"
    assert [pair for pair in first.headers if pair[0] != "Date"] == list(second.headers)


def test_matching_etag_gets_304_and_others_the_whole_page(small, made):
    client = small.test_client()
    known = {"If-None-Match": '"1"'}
    assert client.get("/threads/a", headers=known).status_code == 304
    whole = client.get("/threads/a")
    assert (whole.status_code, whole.data) == (200, b"page 1")
    assert client.get("/threads/a", headers=known).status_code == 304
    assert made == ["a"]


@pytest.mark.parametrize("headers", [{"Cookie": "forum_theme=dark"}, {"Authorization": "Bearer x"}])
def test_request_with_credentials_gets_its_own_page(small, made, headers):
    client = small.test_client(use_cookies=False)
    client.get("/threads/a")
    client.get("/threads/a", headers=headers)
    assert made == ["a", "a"]


@pytest.mark.parametrize("path", ["/threads/broken", "/threads/huge", "/status"])
def test_errors_huge_pages_and_status_are_not_shared(small, made, path):
    client = small.test_client()
    client.get(path)
    client.get(path)
    assert len(made) == 2


def test_page_without_its_posts_is_not_shared(make_settings):
    app, rendered = create_app(make_settings(extracted="posts", posts_url=DOWN)), []

    def count(_: Flask, **__: object) -> None:
        rendered.append(1)

    client = app.test_client()
    account = {"username": "grace", "password": "correct horse"}
    user = client.post("/api/users", json=account).json["id"]
    with template_rendered.connected_to(count, app):
        for path, complete in ((f"/users/{user}", False), ("/", True)):
            rendered.clear()
            pages = [client.get(path).text for _ in range(2)]
            assert ("Posts are temporarily unavailable" in pages[0]) != complete
            assert len(rendered) == (1 if complete else 2)
    _dispose(app)


def test_page_variants_are_cached_separately(small, made):
    client = small.test_client()
    for accepted in ("gzip", "br", "gzip"):
        client.get("/threads/a", headers={"Accept-Encoding": accepted})
    client.get("/threads/a?order=newest")
    client.get("/threads/a", base_url="https://localhost")
    client.get("/threads/a", base_url="http://other.example")
    assert len(made) == 5


@pytest.fixture
def others(settings):
    """Provide a browser whose requests go to another worker process."""
    app = create_app(settings)
    yield app
    _dispose(app)


@pytest.fixture
def thread(others, ada):
    client = others.test_client()
    return client.post("/api/threads", json={"title": "Old"}, headers=ada.headers).json["id"]


def _post(app, person, thread, body="Just written"):
    new = {"thread_id": thread, "body": body}
    answer = app.test_client().post("/api/posts", json=new, headers=person.headers)
    assert answer.status_code == 201


def test_writer_sees_the_new_post_at_once_on_any_worker(app, others, browser, ada, thread):
    path = f"/threads/{thread}"
    app.test_client().get(path)
    _post(others, ada, thread)
    assert "Just written" in browser(ada).get(path).text


def test_writer_sees_the_new_post_after_signing_out(app, others, browser, ada, thread, token_of):
    path = f"/threads/{thread}"
    app.test_client().get(path)
    _post(others, ada, thread)
    client = browser(ada)
    out = client.post("/sign-out", data={"csrf_token": token_of(client)})
    assert client.get_cookie(f"forum_{BYPASS}_{cookies.suffix(SECRET_KEY)}"), out.headers
    assert "Just written" in client.get(path).text


def test_anonymous_reader_sees_a_write_within_a_second(app, others, ada, thread):
    path, stranger = f"/threads/{thread}", app.test_client()
    began = time.monotonic()
    stranger.get(path)
    _post(others, ada, thread)
    while "Just written" not in stranger.get(path).text:
        assert time.monotonic() - began < 1.5
        time.sleep(0.02)
    _post(app, ada, thread, "And again")
    assert "And again" in stranger.get(path).text


def test_api_responses_are_never_cached(app, others, ada, thread):
    client, path = app.test_client(), f"/api/posts/in-thread/{thread}"
    assert client.get(path).json["items"] == []
    _post(others, ada, thread)
    assert len(client.get(path).json["items"]) == 1


def test_burst_of_requests_costs_one_page(app, small, made):
    barrier, go = Barrier(8), Event()

    def ask() -> bytes:
        client = small.test_client()
        barrier.wait()
        go.wait()
        return client.get("/threads/crowd").data

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8)]
        go.set()
        assert {one.result() for one in asked} == {b"page 1"}
    assert made == ["crowd"]
