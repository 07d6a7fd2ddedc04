"""Moves through all eight stages under load: nothing is lost, nothing stale is shown.

What clients hold from before a move stays valid: cursors, ETags, idempotency keys, open forms.
"""

import os
import time

import pytest
import requests

from chassis.clock import uuid7
from extraction.extraction import FREEZE_SECONDS
from infra import stages
from tests.extraction.forum import MovingForum
from tests.support.etags import version_of

OUT = [("extract", "users"), ("extract", "threads"), ("extract", "posts")]
BACK = [("reintegrate", "posts"), ("reintegrate", "threads"), ("reintegrate", "users")]
WAY = [
    ("extract", "posts"),
    ("extract", "users"),
    ("reintegrate", "posts"),
    ("extract", "threads"),
    ("extract", "posts"),
    ("reintegrate", "users"),
    ("reintegrate", "posts"),
    ("reintegrate", "threads"),
]
"""Moves that visit each stage once, and each domain in both directions."""

PATIENCE = 20  # seconds until the forum can hash one more password
CALM = 3.0  # load average of the last minute
HELD_AT_MOST = 2.0 if os.getloadavg()[0] < CALM else FREEZE_SECONDS
"""Seconds; on a busy machine, a write freeze may use its full duration."""


@pytest.fixture(scope="module")
def moved(forum: MovingForum) -> MovingForum:
    """Move domains through all stages under load, with client state from before each move."""
    began = time.monotonic()
    member = forum.crowd.members[0]
    sent = {"Authorization": f"Bearer {member.client.token}"}
    visited = {forum.stack.config.extracted}
    with forum.people():
        for what, domain in WAY:
            state = ClientState(forum.stack.base_url, sent, member.client.id)
            forum.move(what, domain)
            state.assert_valid()
            visited.add(forum.stack.config.extracted)
    assert visited == set(stages.all_stages())
    forum.unannounced = forum.failures(began)
    return forum


def test_moves_lose_nothing_and_show_no_older_data(moved: MovingForum) -> None:
    assert [move.name for move in moved.moves] == [" ".join(step) for step in WAY]
    assert all(move.writes > 20 for move in moved.moves)
    moved.prove()


def test_no_request_fails_outside_the_announced_freeze(moved: MovingForum) -> None:
    assert not moved.unannounced, moved.unannounced[:5]


def test_freezes_are_short(moved: MovingForum) -> None:
    assert all(0 < sum(move.held) < HELD_AT_MOST for move in moved.moves), moved.moves


def test_only_the_monolith_runs_after_all_moves(moved: MovingForum) -> None:
    config = moved.stack.config
    assert (config.extracted, config.moving) == (frozenset(), frozenset())
    for part in ("dynamodb", "bus", "users", "threads", "posts", "monolith-worker"):
        assert moved.stack.pid(part) == 0, part


class ClientState:
    """Client state: cursors, ETags, idempotency keys, an open form."""

    def __init__(self, url: str, sent: dict[str, str], person: str) -> None:
        self._url, self._sent, self._person = url, sent, person
        self._cursors = {
            path: self._get(f"{path}limit=3").json()["next"]
            for path in (
                "/api/threads?",
                "/api/threads?sort=newest&",
                "/api/posts?",
                "/api/users?",
                f"/api/posts/by-user/{person}?",
            )
        }
        self._key = {"Idempotency-Key": uuid7()}
        self._title = {"title": f"Before the move {uuid7()}"}
        self._thread = self._post("/api/threads", self._title, self._key)
        body = {"thread_id": self._thread["id"], "body": "written before"}
        self._body, self._body_key = body, {"Idempotency-Key": uuid7()}
        self._written = self._post("/api/posts", body, self._body_key)
        self._etag = self._get(f"/api/posts/{self._written['id']}").headers["ETag"]
        self._version = self._account_version()
        self._ended = self._end_a_session()

    def assert_valid(self) -> None:
        """Use the complete state."""
        for path, cursor in self._cursors.items():
            if cursor is not None:
                answer = self._get(f"{path}limit=3&cursor={cursor}")
                assert answer.status_code == 200, (path, answer.text)
                # The newest threads and people only grow in number; of the others what
                # followed may have been deleted or moved up in the meantime.
                grows = path in ("/api/threads?sort=newest&", "/api/users?")
                assert answer.json()["items"] or not grows
        assert self._post("/api/threads", self._title, self._key)["id"] == self._thread["id"]
        assert self._post("/api/posts", self._body, self._body_key)["id"] == self._written["id"]
        path, headers = f"{self._url}/api/posts/{self._written['id']}", {"If-Match": self._etag}
        change = {"body": "edited after"}
        edited = requests.patch(path, json=change, headers=self._sent | headers, timeout=20)
        assert edited.status_code == 200, edited.text
        late = requests.patch(path, json=change, headers=self._sent | headers, timeout=20)
        assert late.status_code == 412, late.text
        # They may have renamed themselves in the meantime.
        assert self._account_version() >= self._version
        deadline = time.monotonic() + 5
        for path, thing in (("/api/threads", self._title), ("/api/posts", self._body)):
            while self._with_ended_session(path, thing) != 401:
                assert time.monotonic() < deadline, path
        me = requests.get(f"{self._url}/api/users/me", headers=self._ended, timeout=20)
        assert me.status_code == 401, me.text

    def _end_a_session(self) -> dict[str, str]:
        """Return the headers of a person who signed out everywhere."""
        person = {"username": f"left-{uuid7()[-12:]}", "password": "a password of nobody else"}
        self._post("/api/users", person, {})
        token = self._post("/api/users/sessions", person, {})["token"]
        ended = {"Authorization": f"Bearer {token}"}
        left = requests.delete(f"{self._url}/api/users/me/sessions", headers=ended, timeout=20)
        assert left.status_code == 204, left.text
        return ended

    def _with_ended_session(self, path: str, thing: dict[str, str]) -> int:
        return requests.post(
            self._url + path, json=thing, headers=self._ended, timeout=20
        ).status_code

    def _account_version(self) -> int:
        return version_of(self._get("/api/users/me").headers["ETag"])

    def _get(self, path: str) -> requests.Response:
        return requests.get(self._url + path, headers=self._sent, timeout=20)

    def _post(self, path: str, body: dict[str, str], key: dict[str, str]) -> dict[str, str]:
        deadline, headers = time.monotonic() + PATIENCE, self._sent | key
        while True:
            answer = requests.post(self._url + path, json=body, headers=headers, timeout=20)
            # Too many people sign in or register at once, for a machine that is busy.
            if answer.status_code != 429 or time.monotonic() > deadline:
                break
            time.sleep(min(float(answer.headers["Retry-After"]), PATIENCE))
        assert answer.status_code == 201, answer.text
        made: dict[str, str] = answer.json()
        return made
