"""Threads at their service, over HTTP."""

from typing import Any

from chassis import codec
from chassis.client.responses import ServiceResponse, body_with_version
from chassis.client.service_client import ServiceClient, idempotency_headers, if_match_headers
from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.pagination import Listing
from forum.threads.state import Thread
from forum.users.port import Identity

PATH = "/api/threads"


class RemoteThreads:
    """The use cases of threads, at the threads service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def create(
        self, identity: Identity, title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Start a thread, and return its public view."""
        response = self._client.request(
            "POST",
            PATH,
            json={"title": title},
            token=identity.token,
            headers=idempotency_headers(key),
        )
        return response.parse(body_with_version)

    def get(self, thread_id: str) -> Thread:
        """Return a thread."""
        response = self._client.request("GET", f"{PATH}/{thread_id}")
        return response.parse(_thread)

    def newest(self, sort: str, limit: int, cursor: str) -> Listing[Thread]:
        """List threads: by `activity`, or `newest` first."""
        return self._list({"sort": sort, "limit": limit}, cursor)

    def search(self, q: str, limit: int, cursor: str) -> Listing[Thread]:
        """List the threads whose titles have all terms of `q`, newest first."""
        return self._list({"q": q, "limit": limit}, cursor)

    def change(
        self, identity: Identity, thread_id: str, changes: dict[str, Any], expected: Precondition
    ) -> Thread:
        """Change a thread: its title by the author, title and lock by a moderator."""
        response = self._client.request(
            "PATCH",
            f"{PATH}/{thread_id}",
            json=changes,
            token=identity.token,
            headers=if_match_headers(expected),
        )
        return response.parse(_thread)

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread, as a moderator, or as its author while alone in it."""
        self._client.request(
            "DELETE",
            f"{PATH}/{thread_id}",
            token=identity.token,
            headers=if_match_headers(expected),
        )

    def _list(self, params: dict[str, Any], cursor: str) -> Listing[Thread]:
        response = self._client.request(
            "GET", PATH, params=params | ({"cursor": cursor} if cursor else {})
        )
        # Items of a list have no ETag, and need none: an edit reads the thread first.
        return response.parse(_listing)


def _thread(response: ServiceResponse) -> Thread:
    return codec.from_json(Thread, body_with_version(response))


def _listing(response: ServiceResponse) -> Listing[Thread]:
    items = [codec.from_json(Thread, item | {"version": 0}) for item in response.body["items"]]
    return Listing(items, response.body["next"])
