"""Edits of posts in a monolith that is killed before one of its commits.

Prints, for each edit: the HTTP status (0 if the process was killed), the post's version and text in
the database, and the versions and texts of its events in the outbox.
"""

import json
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, event, text

from chassis.auth.tokens import Issuer
from forum.app import create_app
from forum.commands.migrate import upgrade
from forum.settings import ForumSettings
from infra.keypair import generate_keypair

ADA = "019a0000-0000-7000-8000-000000000001"
COMMITS = 4
"""The largest number of commits of an edit before which the process is killed."""
NEW = "Edited"


def main() -> int:
    """Print what each edit leaves behind."""
    private, public = generate_keypair()
    claims = {"username": "ada", "name": "Ada", "role": "member", "suspended": False, "ver": 1}
    token, _ = Issuer(private).issue(ADA, "a-session", claims, datetime.now(UTC))
    headers = {"Authorization": f"Bearer {token}"}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/forum.sqlite"
        upgrade(url)
        # Another component consumes events, so the monolith has an outbox.
        settings = ForumSettings(
            database_url=url,
            secret_key="x" * 32,
            session_public_keys=public,
            extracted=frozenset({"users"}),
        )
        app = create_app(settings)
        client = app.test_client(use_cookies=False)
        thread = _send(client, "POST", "/api/threads", {"title": "First"}, headers)
        found = []
        for commits in range(1, COMMITS + 1):
            new = {"thread_id": thread["id"], "body": "Written"}
            post = _send(client, "POST", "/api/posts", new, headers)["id"]
            app.extensions["database"].engine.dispose()
            status = _edit(client, f"/api/posts/{post}", headers, commits)
            found.append({"status": status, **_read(url, post)})
            if status:
                break
    sys.stdout.write(json.dumps({"edits": found}) + "\n")
    return 0


def _send(
    client: FlaskClient, method: str, path: str, body: object, headers: dict[str, str]
) -> dict[str, Any]:
    response = client.open(path, method=method, json=body, headers=headers)
    if response.status_code >= 300:
        sys.exit(f"{method} {path}: {response.status_code} {response.text}")
    return dict(response.json or {})


def _edit(client: FlaskClient, path: str, headers: dict[str, str], commits: int) -> int:
    """Edit a post in a process that is killed before a commit; return the status, 0 if killed."""
    child = os.fork()
    if not child:
        _kill_before_commit(commits)
        response = client.patch(path, json={"body": NEW}, headers=headers)
        # An exit code has eight bits.
        os._exit(response.status_code // 100)
    _, ended = os.waitpid(child, 0)
    return 0 if os.WIFSIGNALED(ended) else os.waitstatus_to_exitcode(ended) * 100


def _kill_before_commit(number: int) -> None:
    left = number

    def count(_connection: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "commit", count)


def _read(url: str, post: str) -> dict[str, Any]:
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT event FROM outbox ORDER BY id")).scalars().all()
        version, body = connection.execute(
            text("SELECT version, body FROM posts WHERE id = :id"), {"id": post}
        ).one()
    engine.dispose()
    events = [one for one in map(json.loads, rows) if one["subject"] == post]
    return {
        "version": version,
        "body": body,
        "events": [[one["type"], one["version"], one["data"]["body"]] for one in events],
    }


if __name__ == "__main__":
    sys.exit(main())
