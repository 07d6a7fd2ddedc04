"""Users at their service, over HTTP."""

from typing import Any

from chassis import codec
from chassis.client.responses import ServiceResponse, body_with_version
from chassis.client.service_client import ServiceClient, idempotency_headers, if_match_headers
from chassis.clock import parse_timestamp
from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.users.port import Erasure, Identity, Registration, Session
from forum.users.state import User

PATH = "/api/users"


class RemoteUsers:
    """The use cases of users, at the users service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def register(
        self, new: Registration, address: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Open an account, and return its public view.

        The service counts attempts by the browser's address, not by this component's.
        """
        body = {"username": new.username, "password": new.password}
        if new.display_name:
            body["display_name"] = new.display_name
        headers = {**idempotency_headers(key), "X-Forwarded-For": address}
        response = self._client.request("POST", PATH, json=body, headers=headers)
        return response.parse(body_with_version)

    def sign_in(self, username: str, password: str, address: str) -> Session:
        """Open a session; the service counts attempts as in `register`."""
        response = self._client.request(
            "POST",
            f"{PATH}/sessions",
            json={"username": username, "password": password},
            headers={"X-Forwarded-For": address},
        )
        return response.parse(_session)

    def get(self, user_id: str) -> User:
        """Return a user."""
        response = self._client.request("GET", f"{PATH}/{user_id}")
        return response.parse(_user)

    def me(self, identity: Identity) -> User:
        """Return the session's owner."""
        response = self._client.request("GET", f"{PATH}/me", token=identity.token)
        return response.parse(_user)

    def change(
        self,
        identity: Identity,
        user_id: str,
        changes: dict[str, Any],
        expected: Precondition,
        password: str = "",
    ) -> User:
        """Change a user: the profile by themselves, role and suspension by a moderator."""
        response = self._client.request(
            "PATCH",
            f"{PATH}/{user_id}",
            json=changes | ({"password": password} if password else {}),
            token=identity.token,
            headers=if_match_headers(expected),
        )
        return response.parse(_user)

    def change_password(self, identity: Identity, current: str, new: str) -> Session:
        """Replace one's password, end all sessions, and continue this one with a new token."""
        response = self._client.request(
            "PUT",
            f"{PATH}/me/password",
            json={"current": current, "new": new},
            token=identity.token,
        )
        return response.parse(_session)

    def sign_out_everywhere(self, identity: Identity) -> None:
        """End all of one's sessions, this one too."""
        self._client.request("DELETE", f"{PATH}/me/sessions", token=identity.token)

    def erase(
        self, identity: Identity, user_id: str, password: str, expected: Precondition
    ) -> None:
        """Erase one's own account and free its username."""
        self._client.request(
            "DELETE",
            f"{PATH}/{user_id}",
            json={"password": password},
            token=identity.token,
            headers=if_match_headers(expected),
        )

    def erasure(self, user_id: str) -> Erasure:
        """Return the erasure of an account."""
        response = self._client.request("GET", f"{PATH}/{user_id}/erasure")
        return response.parse(_erasure)


def _session(response: ServiceResponse) -> Session:
    body = response.body
    user = codec.from_json(User, body["user"] | {"version": 0})
    return Session(user, parse_timestamp(body["expires_at"]), body["token"])


def _user(response: ServiceResponse) -> User:
    return codec.from_json(User, body_with_version(response))


def _erasure(response: ServiceResponse) -> Erasure:
    return codec.from_json(Erasure, response.body)
