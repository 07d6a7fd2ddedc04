"""Calls to other components: the threads service asks posts whether an author is alone."""

from chassis.client.responses import ServiceResponse
from chassis.client.service_client import ServiceClient
from chassis.errors import NotFound

PAGE = 100


class PostsClient:
    """The posts component over HTTP."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    def has_only_author(self, author_id: str, thread_id: str) -> bool:
        """Tell whether every post of a thread that is not deleted is by this author."""
        params: dict[str, str | int] = {"limit": PAGE}
        while True:
            try:
                reply = self._peer.request(
                    "GET", f"/api/posts/in-thread/{thread_id}", params=params
                )
            except NotFound:
                return True  # no post was ever written there
            authors, cursor = reply.parse(_authors)
            if authors - {author_id}:
                return False
            if cursor is None:
                return True
            params["cursor"] = cursor


def _authors(reply: ServiceResponse) -> tuple[set[str], str | None]:
    """Read who wrote what is not deleted on a page of posts, and where the next page begins."""
    posts = reply.body["items"]
    return {post["author"]["id"] for post in posts if not post["deleted"]}, reply.body["next"]
