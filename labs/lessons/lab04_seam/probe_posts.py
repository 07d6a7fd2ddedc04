"""Program of a check: posts in the monolith, before and after users is extracted.

It prints a list of `[name, status, author's name]`. Its argument is a folder for the database.
"""

import json
import sys
from dataclasses import replace

from flask.testing import FlaskClient

from chassis.auth.tokens import Issuer
from chassis.clock import utc_now, uuid7
from forum.app import create_app
from forum.commands.migrate import upgrade
from forum.database import Database
from forum.settings import ForumSettings
from forum.users.models import UserRow
from forum.users.persistence import upsert
from forum.users.port import SessionClaims
from infra.keypair import generate_keypair
from labs.lessons.lab04_seam.people import make_state

UNREACHABLE = "http://127.0.0.1:9"
PASSWORD = "correct horse battery"  # noqa: S105 - of an account on an empty database

Found = list[tuple[str, int, str]]


class Writer:
    """Writes posts with sessions that it issues itself."""

    def __init__(self, client: FlaskClient, issuer: Issuer) -> None:
        self._client, self._issuer = client, issuer

    def session(self, user_id: str, claims: SessionClaims) -> dict[str, str]:
        """Return the headers of a session, as the owner of users issues it."""
        token, _ = self._issuer.issue(user_id, uuid7(), vars(claims), utc_now())
        return {"Authorization": f"Bearer {token}"}

    def post(
        self, session: dict[str, str], thread_id: str, text: str = "Hi"
    ) -> tuple[int, str, str]:
        """Write a post; return status, author's name and id."""
        made = self._client.post(
            "/api/posts", json={"thread_id": thread_id, "body": text}, headers=session
        )
        body = made.get_json(silent=True) or {}
        author = str(body.get("author", {}).get("display_name", ""))
        return made.status_code, author, str(body.get("id", ""))


def main(folder: str) -> None:
    """Print what was found."""
    private, public = generate_keypair()
    url = f"sqlite:///{folder}/forum.db"
    upgrade(url)
    settings = {
        "database_url": url,
        "secret_key": "a secret key of a check, 32 characters or more",
        "session_public_keys": public,
        "session_private_key": private,
    }
    found: Found = []
    database, issuer = Database(url), Issuer(private)
    before = create_app(ForumSettings.model_validate(settings))
    thread = _write_before(before.test_client(use_cookies=False), issuer, database, found)
    sys.stdout.write(json.dumps(found) + "\n")
    found.clear()
    settings |= {"extracted": "users", "users_url": UNREACHABLE}
    after = create_app(ForumSettings.model_validate(settings))
    _write_after(after.test_client(use_cookies=False), issuer, database, thread, found)
    sys.stdout.write(json.dumps(found) + "\n")


def _write_before(client: FlaskClient, issuer: Issuer, database: Database, found: Found) -> str:
    """Write posts while the monolith owns users; return the id of a thread."""
    writer = Writer(client, issuer)
    new = {"username": "ada", "password": PASSWORD}
    ada = client.post("/api/users", json=new).get_json()
    token = client.post("/api/users/sessions", json=new).get_json()["token"]
    session = {"Authorization": f"Bearer {token}"}
    thread = client.post("/api/threads", json={"title": "A thread"}, headers=session).get_json()
    status, author, _ = writer.post(session, thread["id"])
    found.append(("member", status, author))
    ghost = writer.session(uuid7(), SessionClaims("gil", "Gil", "member", False, 1))
    found.append(("deleted account", *writer.post(ghost, thread["id"])[:2]))
    with database.writing() as connection:
        connection.get_one(UserRow, ada["id"]).suspended = True
    found.append(("suspended member", *writer.post(session, thread["id"])[:2]))
    return str(thread["id"])


def _write_after(
    client: FlaskClient, issuer: Issuer, database: Database, thread: str, found: Found
) -> None:
    """Write posts while the users service owns users, and is unreachable."""
    writer = Writer(client, issuer)
    grace, first = uuid7(), SessionClaims("grace", "Grace", "member", False, 1)
    old = writer.session(grace, first)
    status, author, post_id = writer.post(old, thread)
    found.append(("newcomer", status, author))
    other = writer.session(uuid7(), SessionClaims("lin", "Lin", "member", False, 1))
    edited = client.patch(f"/api/posts/{post_id}", json={"body": "Mine"}, headers=other)
    found.append(("newcomer's edit of another's post", edited.status_code, ""))
    moderator = writer.session(uuid7(), SessionClaims("mo", "Mo", "moderator", False, 1))
    gone = client.delete(f"/api/posts/{post_id}", headers=moderator)
    found.append(("newcomer's deletion as a moderator", gone.status_code, ""))
    renamed = replace(first, name="Grace Hopper", ver=2)
    newer = writer.session(grace, renamed)
    found.append(("newer session", *writer.post(newer, thread, "Newer")[:2]))
    found.append(("older session", *writer.post(old, thread, "Older")[:2]))
    with database.writing() as connection:
        state = make_state("grace", "Grace Hopper", suspended=True)
        upsert(connection, grace, 3, state)
    found.append(("suspended meanwhile", *writer.post(newer, thread, "Suspended")[:2]))


if __name__ == "__main__":
    main(sys.argv[1])
