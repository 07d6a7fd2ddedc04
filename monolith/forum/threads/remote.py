"""Threads once they are extracted: the same questions, asked over HTTP."""

from typing import Any

from chassis.auth.tokens import Identity
from chassis.client.responses import Reply, versioned
from chassis.client.service_client import Peer, editing, once
from chassis.clock import moment
from chassis.concurrency import Precondition
from chassis.idempotency.keys import IdempotencyKey
from forum.pagination import Listing
from forum.threads.port import Thread
from forum.users.port import Author

PATH = "/api/threads"


class RemoteThreads:
    """What people can do with threads, at the threads service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def create(
        self, identity: Identity, title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Open a thread and answer its view."""
        reply = self._peer.call(
            "POST", PATH, json={"title": title}, token=identity.token, headers=once(key)
        )
        return reply.read(versioned)

    def get(self, thread_id: str) -> Thread:
        """Read a thread."""
        reply = self._peer.call("GET", f"{PATH}/{thread_id}")
        return reply.read(_thread)

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
        reply = self._peer.call(
            "PATCH",
            f"{PATH}/{thread_id}",
            json=changes,
            token=identity.token,
            headers=editing(expected),
        )
        return reply.read(_thread)

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread: by a moderator, or by its author while alone in it."""
        self._peer.call(
            "DELETE", f"{PATH}/{thread_id}", token=identity.token, headers=editing(expected)
        )

    def _list(self, params: dict[str, Any], cursor: str) -> Listing[Thread]:
        reply = self._peer.call("GET", PATH, params=params | ({"cursor": cursor} if cursor else {}))
        # A list carries no ETags, and none is needed: whoever edits reads the thread first.
        return reply.read(_listing)


def _thread(reply: Reply) -> Thread:
    return _thread_of(reply.body, reply.version)


def _listing(reply: Reply) -> Listing[Thread]:
    items = [_thread_of(item, version=0) for item in reply.body["items"]]
    return Listing(items, reply.body["next"])


def _thread_of(body: dict[str, Any], version: int) -> Thread:
    return Thread(
        id=body["id"],
        title=body["title"],
        author=Author(body["author"]["id"], body["author"]["display_name"]),
        created_at=moment(body["created_at"]),
        last_activity_at=moment(body["last_activity_at"]),
        post_count=body["post_count"],
        locked=body["locked"],
        version=version,
    )
