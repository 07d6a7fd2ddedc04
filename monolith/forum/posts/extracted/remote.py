"""Posts at their service, over HTTP."""

from typing import Any

from chassis import codec
from chassis.client.responses import ServiceResponse, body_with_version
from chassis.client.service_client import ServiceClient, idempotency_headers, if_match_headers
from chassis.concurrency import Precondition
from chassis.errors import NotFound
from chassis.idempotency.keys import IdempotencyKey
from forum.pagination import Listing
from forum.posts.state import Post
from forum.users.port import Identity

PATH = "/api/posts"


class RemotePosts:
    """The use cases of posts, at the posts service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def create(
        self, identity: Identity, thread_id: str, body: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Add a post, and return its public view."""
        response = self._client.request(
            "POST",
            PATH,
            json={"thread_id": thread_id, "body": body},
            token=identity.token,
            headers=idempotency_headers(key),
        )
        return response.parse(body_with_version)

    def get(self, post_id: str) -> Post:
        """Return a post."""
        response = self._client.request("GET", f"{PATH}/{post_id}")
        return response.parse(_post)

    def in_thread(self, thread_id: str, order: str, limit: int, cursor: str) -> Listing[Post]:
        """List a thread's posts: `asc` oldest first, `desc` newest first."""
        return self._list(f"/in-thread/{thread_id}", {"order": order, "limit": limit}, cursor)

    def by_user(self, user_id: str, limit: int, cursor: str) -> Listing[Post]:
        """List an author's posts, newest first."""
        return self._list(f"/by-user/{user_id}", {"limit": limit}, cursor)

    def change(self, identity: Identity, post_id: str, body: str, expected: Precondition) -> Post:
        """Replace the text of one's own post."""
        response = self._client.request(
            "PATCH",
            f"{PATH}/{post_id}",
            json={"body": body},
            token=identity.token,
            headers=if_match_headers(expected),
        )
        return response.parse(_post)

    def delete(self, identity: Identity, post_id: str, expected: Precondition) -> None:
        """Delete a post, as its author or a moderator."""
        self._client.request(
            "DELETE", f"{PATH}/{post_id}", token=identity.token, headers=if_match_headers(expected)
        )

    def others_wrote(self, thread_id: str, author_id: str) -> bool:
        """Return whether other people than the author have posts in a thread."""
        cursor: str | None = ""
        while cursor is not None:
            try:
                page = self.in_thread(thread_id, "asc", 100, cursor)
            except NotFound:
                return False
            if any(post.author.id != author_id and not post.deleted for post in page.items):
                return True
            cursor = page.next
        return False

    def _list(self, path: str, params: dict[str, Any], cursor: str) -> Listing[Post]:
        response = self._client.request(
            "GET", PATH + path, params=params | ({"cursor": cursor} if cursor else {})
        )
        # Items of a list have no ETag, and need none: an edit reads the post first.
        return response.parse(_listing)


def _post(response: ServiceResponse) -> Post:
    return codec.from_json(Post, body_with_version(response))


def _listing(response: ServiceResponse) -> Listing[Post]:
    items = [codec.from_json(Post, item | {"version": 0}) for item in response.body["items"]]
    return Listing(items, response.body["next"])
