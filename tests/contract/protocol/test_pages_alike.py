"""The pages of threads are the same bytes at every stage, but for ids, times and tokens."""

import re
from itertools import count
from urllib.parse import urlencode

import pytest
import requests

from infra.api_document import session_cookie
from tests.contract.support.forum import Forum, Settle
from tests.contract.support.people import People, Person
from tests.contract.support.transcript import Exchange, Transcript

ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"<time[^>]*>[^<]*</time>")
TOKEN = re.compile(r'(name="csrf_token" value=")[0-9a-f]+')
ITEM = re.compile(r"<li>\n<span class=\"avatar.*?</li>\n", re.S)
ONWARD = re.compile(r'<nav class="pages".*?</nav>\n', re.S)
CURSOR = re.compile(r"cursor=[\w.-]+")
COOKIE = re.compile(r'(data-cookie="forum_theme_)[0-9a-f]+')


def _alike(page: str) -> str:
    """Write a page so that two stages can be compared: ids by their order, no times, no tokens."""
    numbers = count(1)
    known: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        if found[0] not in known:
            known[found[0]] = f"ID-{next(numbers)}"
        return known[found[0]]

    for changing, shown in ((TIME, "<time>"), (TOKEN, r"\1"), (COOKIE, r"\1"), (CURSOR, "cursor=")):
        page = changing.sub(shown, page)
    return ID.sub(name, page)


def _only(page: str, threads: list[str]) -> str:
    """Leave out of a list what other tests put there, and whether there is more of it."""

    def own(found: re.Match[str]) -> str:
        return found[0] if any(thread in found[0] for thread in threads) else ""

    return ONWARD.sub("", ITEM.sub(own, page))


def _read(forum: Forum, path: str, reader: Person | None) -> requests.Response:
    cookies = {session_cookie(forum.url): reader.client.token or ""} if reader else {}
    return requests.get(forum.url + path, cookies=cookies, timeout=30)


@pytest.fixture
def threads(ada: Person, ben: Person, mod: Person, people: People, settle: Settle) -> list[str]:
    """Return the ids of a long thread with everything in it, and of one that is locked."""
    mark = people.transcript.mark
    made = []
    with people.transcript.paused():
        for title in (f"A long one {mark}", f"A locked one {mark}"):
            made.append(ada.client.post("/api/threads", {"title": title}).expect(201)["id"])
        settle()
        posts = [
            writer.client.post("/api/posts", {"thread_id": thread, "body": body}).expect(201)["id"]
            for thread in made
            for number in range(23 if thread == made[0] else 1)
            for writer, body in [((ada, ben)[number % 2], f"*Number* {number} <b>&amp;</b>")]
        ]
        ben.client.patch(f"/api/posts/{posts[1]}", {"body": "> Edited\n\n|a|\n|-|\n|b|"}).expect()
        ada.client.delete(f"/api/posts/{posts[2]}").expect(204)
        mod.client.patch(f"/api/threads/{made[1]}", {"locked": True}).expect()
        settle()
    return made


def test_pages_of_threads_are_the_same_bytes_at_every_stage(
    forum: Forum,
    transcript: Transcript,
    threads: list[str],
    ada: Person,
    mod: Person,
) -> None:
    long, locked = threads
    lists = ("/", "/?sort=newest", f"/?q={transcript.mark}")
    pages = (f"/threads/{long}", f"/threads/{long}?order=newest", f"/threads/{locked}")
    later = f"/threads/{long}?at=newest"
    for reader in (None, ada, mod):
        for path in (*lists, *pages, later):
            answer = _read(forum, path, reader)
            assert answer.status_code == 200
            text = _only(answer.text, threads) if path in lists else answer.text
            assert text.count("<article") + text.count("<li>\n<span") >= 1, path
            page = _alike(text)
            transcript.add(Exchange("GET", _alike(path), "", {}, answer.status_code, [], page))


def test_quote_of_no_post_is_ignored_at_every_stage(
    forum: Forum, threads: list[str], ada: Person
) -> None:
    for quote in ("openapi.json", f"in-thread/{threads[0]}", "../threads", ".", "x" * 65, "ü"):
        path = f"/threads/{threads[0]}?{urlencode({'quote': quote})}"
        assert _read(forum, path, ada).status_code == 200, quote
