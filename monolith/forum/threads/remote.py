"""Threads once they are extracted: the same questions, asked over HTTP."""

from typing import Any

from chassis.auth.tokens import Identity
from chassis.client.responses import ServiceResponse, body_with_version
from chassis.client.service_client import ServiceClient, idempotency_headers, if_match_headers
from chassis.clock import parse_timestamp
from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.pagination import Listing
from forum.threads.port import Thread
from forum.users.port import Author

PATH = "/api/threads"


class RemoteThreads:
    """What people can do with threads, at the threads service."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    def create(
        self, identity: Identity, title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Open a thread and answer its view."""
        reply = self._peer.request(
            "POST",
            PATH,
            json={"title": title},
            token=identity.token,
            headers=idempotency_headers(key),
        )
        return reply.parse(body_with_version)

    def get(self, thread_id: str) -> Thread:
        """Read a thread."""
        reply = self._peer.request("GET", f"{PATH}/{thread_id}")
        return reply.parse(_thread)

    def newest(self, sort: str, limit: int, cursor: str) -> Listing[Thread]:
        """List threads: by `activity`, or `newest` first."""
        return self._list({"sort": sort, "limit": limit}, cursor)

    def search(self, words: str, limit: int, cursor: str) -> Listing[Thread]:
        """List the threads whose titles hold all words, newest first."""
        return self._list({"q": words, "limit": limit}, cursor)

    def change(
        self, identity: Identity, thread_id: str, changes: dict[str, Any], expected: Precondition
    ) -> Thread:
        """Change a thread: its title by the author, title and lock by a moderator."""
        reply = self._peer.request(
            "PATCH",
            f"{PATH}/{thread_id}",
            json=changes,
            token=identity.token,
            headers=if_match_headers(expected),
        )
        return reply.parse(_thread)

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread: by a moderator, or by its author while alone in it."""
        self._peer.request(
            "DELETE",
            f"{PATH}/{thread_id}",
            token=identity.token,
            headers=if_match_headers(expected),
        )

    def _list(self, params: dict[str, Any], cursor: str) -> Listing[Thread]:
        reply = self._peer.request(
            "GET", PATH, params=params | ({"cursor": cursor} if cursor else {})
        )
        # A list carries no ETags, and none is needed: whoever edits reads the thread first.
        return reply.parse(_listing)


def _thread(reply: ServiceResponse) -> Thread:
    return _thread_of(reply.body, reply.version)


def _listing(reply: ServiceResponse) -> Listing[Thread]:
    items = [_thread_of(item, version=0) for item in reply.body["items"]]
    return Listing(items, reply.body["next"])


def _thread_of(body: dict[str, Any], version: int) -> Thread:
    return Thread(
        id=body["id"],
        title=body["title"],
        author=Author(body["author"]["id"], body["author"]["display_name"]),
        created_at=parse_timestamp(body["created_at"]),
        last_activity_at=parse_timestamp(body["last_activity_at"]),
        post_count=body["post_count"],
        locked=body["locked"],
        version=version,
    )
