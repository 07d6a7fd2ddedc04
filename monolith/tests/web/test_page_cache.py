"""Shared pages: one rendering for many requests, at most a second old, and never for people who
have just written."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from flask import Flask, Response, request

from forum.app import create_app
from forum.web import page_cache
from forum.web.page_cache import (
    BYPASS_COOKIE,
    MAX_PAGE_BYTES,
    MAX_PAGES,
    CachedPage,
    PageCache,
    PendingPage,
)
from monolith.tests.conftest import _dispose

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


def test_a_page_is_made_by_the_first_who_asks_and_shared_for_a_second(pages, clock):
    _make(pages, "/")
    clock.now += 0.999
    assert pages.find("/") == A_PAGE
    clock.now += 0.001
    assert isinstance(pages.find("/"), PendingPage)


def test_the_second_begins_when_the_making_does(pages, clock):
    making = pages.find("/")
    clock.now += 0.6
    pages.finish(making, A_PAGE)
    assert pages.find("/") == A_PAGE
    clock.now += 0.4
    assert isinstance(pages.find("/"), PendingPage)


def test_who_asks_meanwhile_waits_for_the_page_and_makes_none(pages):
    making = pages.find("/")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(pages.find, "/") for _ in range(8)]
        time.sleep(0.05)
        assert not any(one.done() for one in asked)
        pages.finish(making, A_PAGE)
        assert [one.result() for one in asked] == [A_PAGE] * 8


def test_who_waited_for_a_page_that_is_for_nobody_else_makes_one_for_themselves(pages):
    making = pages.find("/")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(pages.find, "/")
        pages.finish(making, None)
        assert asked.result() is None


def test_nobody_waits_longer_than_a_page_would_be_new():
    pages = PageCache()
    pages.find("/")
    began = time.monotonic()
    assert pages.find("/") is None
    assert 0.9 < time.monotonic() - began < 2


def test_a_page_made_before_something_was_written_is_shared_with_nobody_who_asks_later(pages):
    before = pages.find("/")
    pages.clear()
    pages.finish(before, A_PAGE)
    assert isinstance(pages.find("/"), PendingPage)


def test_no_more_pages_are_kept_than_there_is_room_for(pages, clock):
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


def test_an_answer_is_the_same_down_to_its_headers_whoever_made_it(small):
    client = small.test_client()
    first, second = client.get("/threads/a"), client.get("/threads/a")
    assert first.data == second.data == b"page 1"
    assert [pair for pair in first.headers if pair[0] != "Date"] == list(second.headers)


def test_whoever_has_a_page_is_told_so_and_others_get_all_of_it(small, made):
    client = small.test_client()
    known = {"If-None-Match": '"1"'}
    assert client.get("/threads/a", headers=known).status_code == 304
    whole = client.get("/threads/a")
    assert (whole.status_code, whole.data) == (200, b"page 1")
    assert client.get("/threads/a", headers=known).status_code == 304
    assert made == ["a"]


@pytest.mark.parametrize("headers", [{"Cookie": "forum_theme=dark"}, {"Authorization": "Bearer x"}])
def test_whoever_could_be_somebody_gets_a_page_of_their_own(small, made, headers):
    client = small.test_client(use_cookies=False)
    client.get("/threads/a")
    client.get("/threads/a", headers=headers)
    assert made == ["a", "a"]


@pytest.mark.parametrize("path", ["/threads/broken", "/threads/huge", "/status"])
def test_errors_huge_pages_and_the_state_of_the_forum_are_not_shared(small, made, path):
    client = small.test_client()
    client.get(path)
    client.get(path)
    assert len(made) == 2


def test_pages_in_different_forms_are_different_pages(small, made):
    client = small.test_client()
    for accepted in ("gzip", "br", "gzip"):
        client.get("/threads/a", headers={"Accept-Encoding": accepted})
    client.get("/threads/a?order=newest")
    client.get("/threads/a", base_url="https://localhost")
    assert len(made) == 4


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


def test_a_writer_sees_what_they_wrote_at_once_whichever_worker_answers(
    app, others, browser, ada, thread
):
    path = f"/threads/{thread}"
    app.test_client().get(path)
    _post(others, ada, thread)
    assert "Just written" in browser(ada).get(path).text


def test_a_writer_who_signs_out_at_once_still_sees_what_they_wrote(
    app, others, browser, ada, thread, token_of
):
    path = f"/threads/{thread}"
    app.test_client().get(path)
    _post(others, ada, thread)
    client = browser(ada)
    out = client.post("/sign-out", data={"csrf_token": token_of(client)})
    assert client.get_cookie(BYPASS_COOKIE), out.headers
    assert "Just written" in client.get(path).text


def test_strangers_see_it_within_a_second_and_at_once_where_the_worker_is_the_same(
    app, others, ada, thread
):
    path, stranger = f"/threads/{thread}", app.test_client()
    began = time.monotonic()
    stranger.get(path)
    _post(others, ada, thread)
    while "Just written" not in stranger.get(path).text:
        assert time.monotonic() - began < 1.5
        time.sleep(0.02)
    _post(app, ada, thread, "And again")
    assert "And again" in stranger.get(path).text


def test_the_api_is_never_shared(app, others, ada, thread):
    client, path = app.test_client(), f"/api/posts/in-thread/{thread}"
    assert client.get(path).json["items"] == []
    _post(others, ada, thread)
    assert len(client.get(path).json["items"]) == 1


def test_a_crowd_that_comes_at_once_costs_one_page(app, small, made):
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
