"""Calls to other components: the threads service asks posts whether an author is alone."""

from chassis.errors import NotFound
from chassis.peers import Peer

PAGE = 100


class PostsClient:
    """The posts component over HTTP."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def only_by(self, author_id: str, thread_id: str) -> bool:
        """Tell whether every post of a thread that is not deleted is by this author."""
        params: dict[str, str | int] = {"limit": PAGE}
        while True:
            try:
                page = self._peer.call("GET", f"/api/posts/in-thread/{thread_id}", params=params)
            except NotFound:
                return True  # no post was ever written there
            for post in page.body["items"]:
                if not post["deleted"] and post["author"]["id"] != author_id:
                    return False
            if page.body["next"] is None:
                return True
            params["cursor"] = page.body["next"]
