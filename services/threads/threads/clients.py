"""Calls to other components: the owner of posts knows whether an author is alone."""

from chassis.client.responses import ServiceResponse
from chassis.client.service_client import ServiceClient
from chassis.errors import NotFound

PAGE = 100


class PostsClient:
    """The component that owns posts, over HTTP."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    def has_only_author(self, author_id: str, thread_id: str) -> bool:
        """Return whether every post of a thread that is not deleted is by this author."""
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
    """Return the authors of a page's posts that are not deleted, and the next page's cursor."""
    posts = reply.body["items"]
    return {post["author"]["id"] for post in posts if not post["deleted"]}, reply.body["next"]
