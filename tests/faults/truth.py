"""Comparison of the forum's content with acknowledged writes, and of replicas with owners."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests

from forum import bootstrap
from forum.database import Base
from tests.faults.ledger import Ledger, WrittenThread
from tests.support.harness import Stack

assert bootstrap, "importing it defines all tables of the monolith"
PAGE = {"limit": "100"}
LISTS = ("/", "/?sort=newest")
THREAD_PAGES = 50


class Truth:
    """Verifier that returns all differences as lines; a test expects an empty list."""

    def __init__(self, stack: Stack, ledger: Ledger) -> None:
        self._url = stack.base_url
        self._stack = stack
        self._ledger = ledger
        self._http = requests.Session()
        self._http.trust_env = False
        self._posts: dict[str, dict[str, Any]] = {}
        self._threads: dict[str, dict[str, Any] | None] = {}

    def wrong(self) -> list[str]:
        """Check the threads touched since the last call, and all names."""
        self._posts, self._threads = {}, {}
        found: list[str] = []
        for thread in self._ledger.take_touched():
            found += self._thread(thread)
        found += self._names()
        found += self._erased()
        if "posts" in self._stack.config.extracted:
            found += self._copies()
        return found

    def _thread(self, thread: WrittenThread) -> Iterator[str]:
        answer = self._http.get(f"{self._url}/api/threads/{thread.id}", timeout=20)
        listed = self._page(f"/api/posts/in-thread/{thread.id}", PAGE)
        acknowledged = self._ledger.posts_in(thread.id)
        if thread.deleted:
            self._threads[thread.id] = None
            if answer.status_code != 404:
                yield f"thread {thread.id} was deleted, and answers {answer.status_code}"
            if listed.status_code != 404:
                yield f"the posts of deleted thread {thread.id} answer {listed.status_code}"
            return
        if answer.status_code != 200 or listed.status_code != 200:
            yield f"thread {thread.id}: {answer.status_code}, its posts: {listed.status_code}"
            return
        shown = answer.json()
        self._threads[thread.id] = shown
        posts = {post["id"]: post for post in self._walk(listed)}
        self._posts |= posts
        yield from self._twice(thread.id, posts)
        for written in acknowledged:
            post = posts.get(written.id)
            if post is None:
                yield f"post {written.id} in thread {thread.id} is lost"
            elif post["deleted"] != written.deleted:
                yield f"post {written.id}: deleted is {post['deleted']}, not {written.deleted}"
            elif not written.deleted and post["body"] != written.body:
                yield f"post {written.id}: {post['body']!r} instead of {written.body!r}"
        alive = [post for post in posts.values() if not post["deleted"]]
        if shown["post_count"] != len(alive):
            yield f"thread {thread.id}: post_count {shown['post_count']}, in truth {len(alive)}"
        latest = max((post["created_at"] for post in posts.values()), default=shown["created_at"])
        if shown["last_activity_at"] != latest:
            yield f"thread {thread.id}: active {shown['last_activity_at']}, in truth {latest}"

    def _twice(self, thread_id: str, posts: dict[str, dict[str, Any]]) -> Iterator[str]:
        marks = Counter(post["body"].split(" ")[0] for post in posts.values() if post["body"])
        for mark, number in marks.items():
            if number > 1 and mark.startswith("mark"):
                yield f"{mark} exists {number} times in thread {thread_id}"

    def _names(self) -> Iterator[str]:
        names = self._ledger.names
        for what, things in (("post", self._posts), ("thread", self._threads)):
            for identifier, thing in things.items():
                author = thing["author"] if thing else {"id": ""}
                if author["id"] in names and author["display_name"] != names[author["id"]]:
                    yield (
                        f"{what} {identifier} shows {author['display_name']!r},"
                        f" its author is {names[author['id']]!r}"
                    )

    def _erased(self) -> Iterator[str]:
        """Look for people who were erased: by id, in lists, on pages, and in every table."""
        listed = {user["id"] for user in self._walk(self._page("/api/users", PAGE))}
        shown = [one for one, thread in self._threads.items() if thread][:THREAD_PAGES]
        paths = (*LISTS, *(f"/threads/{one}" for one in shown))
        texts = {
            f"page {path}": self._http.get(self._url + path, timeout=20).text for path in paths
        }
        texts |= self._tables()
        for person in sorted(self._ledger.erased):
            answer = self._http.get(f"{self._url}/api/users/{person}", timeout=20)
            erasure = self._http.get(f"{self._url}/api/users/{person}/erasure", timeout=20)
            if answer.status_code != 404 or person in listed:
                yield f"user {person} was erased, and answers {answer.status_code}"
            if erasure.status_code != 200 or erasure.json()["status"] != "erased":
                yield f"the erasure of user {person} is not finished: {erasure.text[:200]}"
            for name in self._ledger.earlier_names[person]:
                yield from (
                    f"{where} has {name!r}, the name of erased user {person}"
                    for where, text in texts.items()
                    if name in text
                )

    def _tables(self) -> dict[str, str]:
        """Return the content of every table but the outboxes and the counters, which expire.

        Sign-in counters contain the usernames that were entered, also those of erased users.
        """
        query = self._stack.query
        names = [table.name for table in Base.metadata.sorted_tables]
        texts = {
            f"the monolith's table {name}": str(query(f'SELECT * FROM "{name}"'))
            for name in names
            if name not in {"outbox", "sign_in_attempts"}
        }
        if self._stack.config.extracted:
            dynamo = self._stack.dynamodb()
            for table in dynamo.list_tables()["TableNames"]:
                domain = table.split("-")[1]
                expiring = table.endswith(("-outbox", "-sign-ins"))
                if domain in self._stack.config.extracted and not expiring:
                    pages = dynamo.get_paginator("scan").paginate(TableName=table)
                    texts[f"table {table}"] = str([page["Items"] for page in pages])
        return texts

    def _copies(self) -> Iterator[str]:
        """Compare the monolith's replicas with the content at the owners."""
        query = self._stack.query
        posts = {row[0]: row[1:] for row in query("SELECT id, body, deleted, thread_id FROM posts")}
        rows = query("SELECT id, title, post_count, deleted FROM threads")
        threads = {row[0]: row[1:] for row in rows}
        people = dict(query("SELECT id, display_name FROM users"))
        for identifier, post in self._posts.items():
            expected = (post["body"], post["deleted"], post["thread_id"])
            if posts.get(identifier) != expected:
                copy = posts.get(identifier)
                yield f"the monolith's copy of post {identifier}: {copy}, not {expected}"
        for identifier, thread in self._threads.items():
            copy = threads.get(identifier)
            if thread is None:
                if copy is not None and not copy[2]:
                    yield f"the monolith's copy of thread {identifier} is not deleted"
            elif copy != (thread["title"], thread["post_count"], 0):
                yield f"the monolith's copy of thread {identifier}: {copy}, not {thread}"
        for identifier, name in self._ledger.names.items():
            if people.get(identifier) != name:
                yield f"monolith's copy of {identifier}: {people.get(identifier)!r}, not {name!r}"

    def _page(self, path: str, params: dict[str, str]) -> requests.Response:
        return self._http.get(self._url + path, params=params, timeout=20)

    def _walk(self, answer: requests.Response) -> Iterator[dict[str, Any]]:
        """Yield the items of a page and of all that follow it."""
        seen = {""}
        while True:
            answer.raise_for_status()
            page = answer.json()
            yield from page["items"]
            if page["next"] is None:
                return
            assert page["next"] not in seen, "the list has no end"
            seen.add(page["next"])
            path = urlsplit(answer.url).path
            answer = self._page(path, {**PAGE, "cursor": page["next"]})


def settle(stack: Stack, seconds: float = 60) -> float:
    """Wait until all events are processed, without dead letters; return the elapsed seconds.

    A consumer may record new events, so all queues must be empty twice in a row.
    """
    began = time.monotonic()
    quiet = 0
    progress: dict[str, Any] = {}
    while quiet < 2:
        if time.monotonic() - began > seconds:
            msg = f"events are still under way after {seconds} s: {progress}"
            raise AssertionError(msg)
        progress = {name: _progress(url) for name, url in stack.urls.items()}
        quiet = quiet + 1 if all(map(_is_quiet, progress.values())) else 0
        time.sleep(0.1)
    return time.monotonic() - began


def _progress(url: str) -> dict[str, Any]:
    try:
        answer = requests.get(f"{url}/eventz", timeout=5)
    except requests.RequestException as error:
        return {"error": repr(error)}
    found: dict[str, Any] = answer.json() if answer.ok else {"error": answer.status_code}
    return found


def _is_quiet(progress: dict[str, Any]) -> bool:
    return all(
        progress.get(name) == 0
        for name in ("outbox_age_seconds", "queue_depth", "in_flight", "dead_letters")
    )
