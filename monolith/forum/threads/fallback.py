"""Threads to be read while their service is down, as the replica knows them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chassis.auth.tokens import Identity
from chassis.concurrency import Precondition
from chassis.errors import CutoverInProgress, Unavailable
from chassis.idempotency.keys import IdempotencyKey
from forum.pagination import Listing
from forum.threads.port import Thread, Threads
from forum.threads.queries import ThreadQueries


@dataclass(frozen=True)
class ThreadsWithFallback:
    """Threads of the service; if it does not answer, reading goes on and `behind` is called.

    What changes a thread is the service's alone.
    """

    service: Threads
    replica: ThreadQueries
    on_stale: Callable[[], None]

    def get(self, thread_id: str) -> Thread:
        """Read a thread."""
        try:
            return self.service.get(thread_id)
        except CutoverInProgress:
            raise  # it is about to be somewhere else
        except Unavailable:
            if not self.replica.is_known(thread_id):
                raise
            self.on_stale()
            return self.replica.get(thread_id)

    def newest(self, sort: str, limit: int, cursor: str) -> Listing[Thread]:
        """List threads: by `activity`, or `newest` first."""
        try:
            return self.service.newest(sort, limit, cursor)
        except CutoverInProgress:
            raise  # it is about to be somewhere else
        except Unavailable:
            page = self.replica.newest(sort, limit, cursor)
            if not page.items and not cursor:
                # Nothing was told yet; that does not mean that there is nothing.
                raise
            self.on_stale()
            return page

    def search(self, words: str, limit: int, cursor: str) -> Listing[Thread]:
        """List the threads whose titles hold all words, newest first."""
        try:
            return self.service.search(words, limit, cursor)
        except CutoverInProgress:
            raise  # it is about to be somewhere else
        except Unavailable:
            self.on_stale()
            return self.replica.search(words, limit, cursor)

    def create(
        self, identity: Identity, title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Open a thread and answer its view."""
        return self.service.create(identity, title, key)

    def change(
        self, identity: Identity, thread_id: str, changes: dict[str, Any], expected: Precondition
    ) -> Thread:
        """Change a thread."""
        return self.service.change(identity, thread_id, changes, expected)

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread."""
        self.service.delete(identity, thread_id, expected)
