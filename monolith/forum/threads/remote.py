"""Threads once they are extracted: the same questions, asked over HTTP."""

from typing import Any

from chassis.clock import moment
from chassis.idempotency import IdempotencyKey
from chassis.peers import Peer, editing, once
from chassis.tokens import Identity
from chassis.versions import Precondition
from forum.listing import Listing
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
        return {**reply.body, "version": reply.version}

    def get(self, thread_id: str) -> Thread:
        """Read a thread."""
        reply = self._peer.call("GET", f"{PATH}/{thread_id}")
        return _thread(reply.body, reply.version)

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
        return _thread(reply.body, reply.version)

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread: by a moderator, or by its author while alone in it."""
        self._peer.call(
            "DELETE", f"{PATH}/{thread_id}", token=identity.token, headers=editing(expected)
        )

    def _list(self, params: dict[str, Any], cursor: str) -> Listing[Thread]:
        body = self._peer.call(
            "GET", PATH, params=params | ({"cursor": cursor} if cursor else {})
        ).body
        # A list carries no ETags, and none is needed: whoever edits reads the thread first.
        return Listing([_thread(item, version=0) for item in body["items"]], body["next"])


def _thread(body: dict[str, Any], version: int) -> Thread:
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
