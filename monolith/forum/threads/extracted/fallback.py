"""Threads at their service, read from the replica while the service is unreachable."""

from collections.abc import Callable

from chassis.client.service_client import ServiceClient
from chassis.errors import CutoverInProgress, Unavailable
from forum.pagination import Listing
from forum.threads.extracted.remote import RemoteThreads
from forum.threads.queries import ThreadQueries
from forum.threads.state import Thread


class RemoteThreadsWithFallback(RemoteThreads):
    """Threads with a fallback for reads; `on_stale` is called if the replica is used."""

    def __init__(
        self, client: ServiceClient, replica: ThreadQueries, on_stale: Callable[[], None]
    ) -> None:
        super().__init__(client)
        self._replica = replica
        self._on_stale = on_stale

    def get(self, thread_id: str) -> Thread:
        """Return a thread."""
        try:
            return super().get(thread_id)
        except CutoverInProgress:
            raise  # the caller retries at the new owner
        except Unavailable:
            if not self._replica.is_known(thread_id):
                raise
            self._on_stale()
            return self._replica.get(thread_id)

    def newest(self, sort: str, limit: int, cursor: str) -> Listing[Thread]:
        """List threads: by `activity`, or `newest` first."""
        try:
            return super().newest(sort, limit, cursor)
        except CutoverInProgress:
            raise
        except Unavailable:
            page = self._replica.newest(sort, limit, cursor)
            if not page.items and not cursor:
                # An empty replica has received no thread yet; that does not mean there is none.
                raise
            self._on_stale()
            return page

    def search(self, q: str, limit: int, cursor: str) -> Listing[Thread]:
        """List the threads whose titles have all terms of `q`, newest first."""
        try:
            return super().search(q, limit, cursor)
        except CutoverInProgress:
            raise
        except Unavailable:
            self._on_stale()
            return self._replica.search(q, limit, cursor)
