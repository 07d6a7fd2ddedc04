"""Calls to other components: the posts service fetches threads that it does not know yet."""

from contextlib import suppress

from chassis.client.service_client import ServiceClient
from chassis.errors import NotFound, Unavailable
from posts.model import Thread

NO_SUCH_THREAD = "Thread not found."


class ThreadsClient:
    """The threads component over HTTP; `thread_id` must be safe in a URL."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    def get(self, thread_id: str) -> Thread:
        """Fetch a thread, in one call.

        Raises:
            NotFound: there is no such thread.
            Unavailable: the response is late, missing or breaks the contract.
        """
        try:
            reply = self._peer.request("GET", f"/api/threads/{thread_id}")
        except NotFound as failure:
            raise NotFound(NO_SUCH_THREAD) from failure
        match reply.body:
            case {"title": str() as title, "locked": bool() as locked}:
                with suppress(ValueError):  # the response has no version
                    return Thread(thread_id, title, locked, deleted=False, version=reply.version)
        detail = "Threads are temporarily unavailable (invalid response)."
        raise Unavailable(detail)
