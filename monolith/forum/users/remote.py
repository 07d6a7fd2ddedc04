"""Users once they are extracted: the same questions, asked over HTTP."""

from typing import Any

from chassis.auth.tokens import Identity
from chassis.client.responses import ServiceResponse, body_with_version
from chassis.client.service_client import ServiceClient, idempotency_headers, if_match_headers
from chassis.clock import parse_timestamp
from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.users.port import Erasure, Registration, Session, User

PATH = "/api/users"


class RemoteUsers:
    """What people can do with accounts, at the users service."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    def register(self, new: Registration, key: IdempotencyKey | None = None) -> dict[str, Any]:
        """Open an account and answer its view."""
        body = {"username": new.username, "password": new.password}
        if new.display_name:
            body["display_name"] = new.display_name
        reply = self._peer.request("POST", PATH, json=body, headers=idempotency_headers(key))
        return reply.parse(body_with_version)

    def sign_in(self, username: str, password: str, address: str) -> Session:
        """Open a session; the service counts attempts by the browser's address, not by ours."""
        reply = self._peer.request(
            "POST",
            f"{PATH}/sessions",
            json={"username": username, "password": password},
            headers={"X-Forwarded-For": address},
        )
        return reply.parse(_session)

    def get(self, user_id: str) -> User:
        """Read a person."""
        reply = self._peer.request("GET", f"{PATH}/{user_id}")
        return reply.parse(_user)

    def me(self, identity: Identity) -> User:
        """Read the person who asks."""
        reply = self._peer.request("GET", f"{PATH}/me", token=identity.token)
        return reply.parse(_user)

    def change(
        self, identity: Identity, user_id: str, changes: dict[str, Any], expected: Precondition
    ) -> User:
        """Change a person: their profile by themselves, role and suspension by a moderator."""
        reply = self._peer.request(
            "PATCH",
            f"{PATH}/{user_id}",
            json=changes,
            token=identity.token,
            headers=if_match_headers(expected),
        )
        return reply.parse(_user)

    def change_password(self, identity: Identity, current: str, new: str) -> None:
        """Replace one's password."""
        self._peer.request(
            "PUT",
            f"{PATH}/me/password",
            json={"current": current, "new": new},
            token=identity.token,
        )

    def erase(self, identity: Identity, user_id: str, expected: Precondition) -> None:
        """Erase one's own account and free its username."""
        self._peer.request(
            "DELETE", f"{PATH}/{user_id}", token=identity.token, headers=if_match_headers(expected)
        )

    def erasure(self, user_id: str) -> Erasure:
        """Tell how far a person's erasure is."""
        reply = self._peer.request("GET", f"{PATH}/{user_id}/erasure")
        return reply.parse(_erasure)


def _session(reply: ServiceResponse) -> Session:
    user = _user_of(reply.body["user"], version=0)
    return Session(user, parse_timestamp(reply.body["expires_at"]), reply.body["token"])


def _user(reply: ServiceResponse) -> User:
    return _user_of(reply.body, reply.version)


def _user_of(body: dict[str, Any], version: int) -> User:
    return User(
        id=body["id"],
        username=body["username"],
        display_name=body["display_name"],
        bio=body["bio"],
        role=body["role"],
        created_at=parse_timestamp(body["created_at"]),
        version=version,
    )


def _erasure(reply: ServiceResponse) -> Erasure:
    body, finished = reply.body, reply.body["finished_at"]
    return Erasure(
        body["id"],
        parse_timestamp(body["requested_at"]),
        parse_timestamp(finished) if finished else None,
    )
