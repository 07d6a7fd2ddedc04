"""Posts once they are extracted: the same questions, asked over HTTP."""

from typing import Any

from chassis.auth.tokens import Identity
from chassis.client.responses import ServiceResponse, body_with_version
from chassis.client.service_client import ServiceClient, idempotency_headers, if_match_headers
from chassis.clock import parse_timestamp
from chassis.concurrency import Precondition
from chassis.errors import NotFound
from chassis.idempotency.keys import IdempotencyKey
from forum.pagination import Listing
from forum.posts.port import Post
from forum.users.port import Author

PATH = "/api/posts"


class RemotePosts:
    """What people can do with posts, at the posts service."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    def create(
        self, identity: Identity, thread_id: str, body: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Write a post and answer its view."""
        reply = self._peer.request(
            "POST",
            PATH,
            json={"thread_id": thread_id, "body": body},
            token=identity.token,
            headers=idempotency_headers(key),
        )
        return reply.parse(body_with_version)

    def get(self, post_id: str) -> Post:
        """Read a post."""
        reply = self._peer.request("GET", f"{PATH}/{post_id}")
        return reply.parse(_post)

    def in_thread(self, thread_id: str, order: str, limit: int, cursor: str) -> Listing[Post]:
        """List a thread's posts: `asc` oldest first, `desc` newest first."""
        return self._list(f"/in-thread/{thread_id}", {"order": order, "limit": limit}, cursor)

    def by_user(self, user_id: str, limit: int, cursor: str) -> Listing[Post]:
        """List a person's posts, newest first."""
        return self._list(f"/by-user/{user_id}", {"limit": limit}, cursor)

    def change(self, identity: Identity, post_id: str, body: str, expected: Precondition) -> Post:
        """Rewrite one's own post."""
        reply = self._peer.request(
            "PATCH",
            f"{PATH}/{post_id}",
            json={"body": body},
            token=identity.token,
            headers=if_match_headers(expected),
        )
        return reply.parse(_post)

    def delete(self, identity: Identity, post_id: str, expected: Precondition) -> None:
        """Delete a post: by its author or a moderator."""
        self._peer.request(
            "DELETE", f"{PATH}/{post_id}", token=identity.token, headers=if_match_headers(expected)
        )

    def others_wrote(self, thread_id: str, author_id: str) -> bool:
        """Tell whether others than the author have posts in a thread."""
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
        reply = self._peer.request(
            "GET", PATH + path, params=params | ({"cursor": cursor} if cursor else {})
        )
        # A list carries no ETags, and none is needed: whoever edits reads the post first.
        return reply.parse(_listing)


def _post(reply: ServiceResponse) -> Post:
    return _post_of(reply.body, reply.version)


def _listing(reply: ServiceResponse) -> Listing[Post]:
    items = [_post_of(item, version=0) for item in reply.body["items"]]
    return Listing(items, reply.body["next"])


def _post_of(body: dict[str, Any], version: int) -> Post:
    return Post(
        id=body["id"],
        thread_id=body["thread_id"],
        author=Author(body["author"]["id"], body["author"]["display_name"]),
        body=body["body"],
        html=body["html"],
        created_at=parse_timestamp(body["created_at"]),
        edited_at=parse_timestamp(body["edited_at"]) if body["edited_at"] else None,
        deleted=body["deleted"],
        version=version,
    )
