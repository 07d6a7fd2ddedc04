"""Drill of a restore: people edit, write and are erased after a backup, which is then put back."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from infra.runner.config import ROOT
from recovery.reconcile import RESTORED
from tests.support.etags import version_of
from tests.support.waits import wait_until

PASSWORD = "a password of the restore drill"
PATIENCE = 60  # seconds until events have arrived


class Forum:
    """A full split, its people and what they write."""

    def __init__(self, base_url: str, environment: Mapping[str, str]) -> None:
        """Create a client; `environment` is that of `make backup` and the other commands."""
        self._base_url, self._environment = base_url, environment
        self._http = requests.Session()
        self._http.trust_env = False

    def ask(self, method: str, path: str, token: str = "", **given: Any) -> requests.Response:
        headers = given.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        url = self._base_url + path
        return self._http.request(method, url, headers=headers, timeout=20, **given)

    def create(self, path: str, token: str = "", **content: Any) -> dict[str, Any]:
        answer = self.ask("POST", path, token, json=content)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def register(self, name: str) -> tuple[str, str]:
        """Register a user; return their id and their session's token."""
        user = self.create("/api/users", username=name, display_name=name, password=PASSWORD)
        return str(user["id"]), self.sign_in(name)

    def sign_in(self, name: str) -> str:
        token = self.create("/api/users/sessions", username=name, password=PASSWORD)["token"]
        return str(token)

    def count(self, thread: str) -> int:
        count: int = self.ask("GET", f"/api/threads/{thread}").json()["post_count"]
        return count

    def back_up(self) -> str:
        """Back up the forum; return the folder."""
        return self.recover("backup").rpartition("make restore FROM=")[2].strip()

    def recover(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "recovery", *command],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def run_drill(forum: Forum, restore: Callable[..., Any], domain: str = "") -> str:
    """Restore a forum, or one of its services, and assert that everything is right again.

    Return a line with the time since the backup (RPO) and the time to the last repair (RTO).
    `restore` runs a command of recovery, and starts the forum if that is left to its operator.
    """
    ada, ada_token = forum.register(f"ada{domain}")
    bob, bob_token = forum.register(f"bob{domain}")
    thread = forum.create("/api/threads", ada_token, title="Kept")["id"]
    kept = forum.create("/api/posts", ada_token, thread_id=thread, body="kept")["id"]
    forum.create("/api/posts", bob_token, thread_id=thread, body="by bob")
    wait_until(lambda: forum.count(thread) == 2, PATIENCE)
    folder = forum.back_up()
    backed_up = time.monotonic()

    edited = forum.ask("PATCH", f"/api/posts/{kept}", ada_token, json={"body": "edited"})
    assert version_of(edited.headers["ETag"]) == 2
    other = forum.create("/api/threads", ada_token, title="Written later")["id"]
    for number in range(3):
        body = f"written later {number}"
        forum.create("/api/posts", ada_token, thread_id=thread, body=body)
    erased = forum.ask("DELETE", f"/api/users/{bob}", bob_token, json={"password": PASSWORD})
    assert erased.status_code < 300, erased.text
    wait_until(lambda: forum.count(thread) == 5, PATIENCE)
    wait_until(lambda: not names(forum, thread) & {f"bob{domain}"}, PATIENCE)

    lost = time.monotonic()
    restore("restore", folder, *(["--domain", domain] if domain else []))
    forum.recover("reconcile", "--repair")
    recovered = time.monotonic()
    wait_until(lambda: "No difference" in forum.recover("reconcile"), PATIENCE)
    measured = (
        f"restore of {domain or 'everything'}: RPO {lost - backed_up:.1f} s since the backup,"
        f" RTO {recovered - lost:.1f} s"
    )

    token = forum.sign_in(f"ada{domain}")
    listed = forum.ask("GET", f"/api/posts/in-thread/{thread}").json()["items"]
    live = [post for post in listed if not post["deleted"]]
    assert forum.count(thread) == len(live) == (2 if domain in {"", "posts"} else 5)
    found = forum.ask("GET", f"/api/posts/{kept}")
    restored = domain in {"", "posts"}
    assert found.json()["body"] == ("kept" if restored else "edited")
    assert version_of(found.headers["ETag"]) >= (RESTORED if restored else 2)
    gone = forum.ask("GET", f"/api/threads/{other}").status_code
    assert gone == (404 if domain in {"", "threads"} else 200)
    if domain:
        # The erasure came after the backup, and no service forgets it.
        assert f"bob{domain}" not in names(forum, thread)
        assert forum.ask("GET", f"/api/users/{bob}").status_code == 404
    assert forum.ask("GET", f"/api/users/{ada}").json()["display_name"] == f"ada{domain}"
    forum.create("/api/posts", token, thread_id=thread, body="after the restore")
    wait_until(lambda: forum.count(thread) == len(live) + 1, PATIENCE)
    return measured


def names(forum: Forum, thread: str) -> set[str]:
    listed = forum.ask("GET", f"/api/posts/in-thread/{thread}").json()["items"]
    return {post["author"]["display_name"] for post in listed}
