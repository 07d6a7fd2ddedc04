"""Calls to other components: the posts service asks threads whether a thread is open."""

from chassis.errors import NotFound, Unavailable
from chassis.peers import Peer

NO_SUCH_THREAD = "There is no such thread."


class ThreadsClient:
    """The threads component over HTTP; `thread_id` must be fit for a URL."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def is_locked(self, thread_id: str) -> bool:
        """Tell whether a thread takes no more posts, in one call.

        Raises:
            NotFound: there is no such thread.
            Unavailable: threads does not answer in time or not as agreed.
        """
        try:
            reply = self._peer.call("GET", f"/api/threads/{thread_id}")
        except NotFound as failure:
            raise NotFound(NO_SUCH_THREAD) from failure
        match reply.body:
            case {"locked": bool() as locked}:
                return locked
        detail = "The part that keeps threads answers in an unknown way."
        raise Unavailable(detail)
