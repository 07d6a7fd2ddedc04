"""People who use the forum in tests; each is new, so a test depends on no other."""

from dataclasses import dataclass
from typing import Any

from chassis import codec
from chassis.clock import utc_now, uuid7
from tests.contract.support.client import Answer, Client
from tests.contract.support.forum import Forum
from tests.contract.support.transcript import Transcript
from tests.support.etags import version_of
from users.model import SessionClaims

PASSWORD = "correct horse battery"
CONFIRMED = {"password": PASSWORD}
"""The part of a request that confirms an erasure or a change of a role."""


@dataclass
class Person:
    """A signed-in user."""

    client: Client
    id: str
    username: str
    display_name: str

    @property
    def author(self) -> dict[str, str]:
        """The author as shown with posts and threads."""
        return {"id": self.id, "display_name": self.display_name}

    @property
    def path(self) -> str:
        """The path of the user in the API."""
        return f"/api/users/{self.id}"

    def erase(self, if_match: str | None = None) -> Answer:
        """Erase the account."""
        return self.client.delete(self.path, CONFIRMED, if_match)

    def sign_in(self, password: str = PASSWORD) -> None:
        """Open a new session."""
        self.client.token = sign_in(self.client, self.username, password)


class People:
    """Factory of people; their registration is in no transcript."""

    def __init__(self, forum: Forum, transcript: Transcript) -> None:
        self.forum = forum
        self.transcript = transcript

    def anonymous(self, token: str | None = None) -> Client:
        """Return a new client."""
        return Client(self.forum, self.transcript, token)

    def name(self, base: str) -> str:
        """Return a unique username."""
        return f"{base}.{self.transcript.mark}"

    def member(self, base: str, display_name: str | None = None) -> Person:
        """Register a user and sign in."""
        return self._make(base, display_name, moderator=False)

    def moderator(self, base: str) -> Person:
        """Register a moderator and sign in."""
        return self._make(base, None, moderator=True)

    def _make(self, base: str, display_name: str | None, *, moderator: bool) -> Person:
        client, username = self.anonymous(), self.name(base)
        shown = display_name or base.title()
        with self.transcript.paused():
            new = {"username": username, "password": PASSWORD, "display_name": shown}
            answer = client.post("/api/users", new)
            user: dict[str, Any] = answer.expect(201)
        etag = self.forum.appoint(user["id"]) if moderator else answer.etag
        # Equal to signing in, without the slow verification of a password.
        claims = SessionClaims(
            username,
            shown,
            role="moderator" if moderator else "member",
            suspended=False,
            ver=version_of(etag),
        )
        client.token, _ = self.forum.issuer.issue(
            user["id"], uuid7(), codec.to_json(claims), utc_now()
        )
        return Person(client, user["id"], username, shown)


def sign_in(client: Client, username: str, password: str = PASSWORD) -> str:
    """Sign in; return the token."""
    credentials = {"username": username, "password": password}
    token = client.post("/api/users/sessions", credentials).expect(201)["token"]
    assert isinstance(token, str)
    return token
