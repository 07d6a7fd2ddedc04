"""Moves in another order, phase by phase, under load; cursors and forms remain valid."""

import pytest
import requests

from chassis.clock import uuid7
from tests.extraction.forum import MovingForum

WAY = [
    ("extract", "posts"),
    ("extract", "users"),
    ("reintegrate", "posts"),
    ("extract", "threads"),
    ("reintegrate", "users"),
    ("reintegrate", "threads"),
]


@pytest.fixture(scope="module")
def moved(forum: MovingForum) -> MovingForum:
    """Move domains in an unusual order, with client state from before each step."""
    member = forum.crowd.members[0]
    sent = {"Authorization": f"Bearer {member.client.token}"}
    with forum.people():
        for what, domain in WAY:
            state = ClientState(forum.stack.base_url, sent, member.client.id)
            forum.move(what, domain)
            state.assert_valid()
    return forum


def test_content_matches_the_acknowledged_writes(moved: MovingForum) -> None:
    assert [move.name for move in moved.moves] == [" ".join(step) for step in WAY]
    moved.prove()


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
        self._profile = self._get(f"/api/users/{person}").headers["ETag"]

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
        assert self._get("/api/users/me").status_code == 200

    def _get(self, path: str) -> requests.Response:
        return requests.get(self._url + path, headers=self._sent, timeout=20)

    def _post(self, path: str, body: dict[str, str], key: dict[str, str]) -> dict[str, str]:
        answer = requests.post(self._url + path, json=body, headers=self._sent | key, timeout=20)
        assert answer.status_code == 201, answer.text
        made: dict[str, str] = answer.json()
        return made
