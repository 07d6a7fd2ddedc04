"""HTTP API of posts: each handler parses the request, calls a use case and serializes."""

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from chassis.auth.sessions import Sessions
from chassis.http.openapi import SECURITY, build_document, describe_responses, document_response
from chassis.http.requests import changed_fields, read_idempotency_key, read_precondition
from chassis.http.responses import json_response
from chassis.http.routing import add_routes, delete, get, patch, post
from chassis.idempotency.keys import IdempotencyKeys
from chassis.pagination import Cursors, Page
from posts.model import Post, SessionClaims
from posts.schemas import (
    InThreadQuery,
    NewPost,
    PostChange,
    PostOut,
    PostPath,
    PostsOut,
    PostsQuery,
    ThreadPath,
    UserPath,
)
from posts.service import Posts, public_view

LISTING = "posts"
DESCRIPTION = "Posts in threads, written in Markdown."


class PostsApi:
    """The handlers of `/api/posts`."""

    def __init__(
        self,
        posts: Posts,
        sessions: Sessions[SessionClaims],
        cursors: Cursors,
        idempotency_keys: IdempotencyKeys,
    ) -> None:
        self._posts = posts
        self._sessions = sessions
        self._cursors = cursors
        self._idempotency_keys = idempotency_keys
        self._document: dict[str, Any] = {}

    def blueprint(self) -> APIBlueprint:
        """Build the blueprint, with its OpenAPI document."""
        blueprint = APIBlueprint("posts", __name__, url_prefix="/api/posts")
        add_routes(blueprint, self)
        self._document = build_document(blueprint, "Posts", DESCRIPTION, PostOut, PostsOut)
        return blueprint

    @post(
        "",
        operation_id="createPost",
        security=SECURITY,
        responses=describe_responses(
            201, PostOut, 400, 401, 403, 404, 409, 413, 415, 422, 503, headers=("ETag", "Location")
        ),
    )
    def create_post(self, body: NewPost) -> Response:
        """Write a post in a thread.

        The thread must exist and be open.
        """
        identity = self._sessions.require()
        key = read_idempotency_key(self._idempotency_keys, identity.subject, body.model_dump())
        view = self._posts.create(identity, body.thread_id, body.body, key)
        return _post_response(PostOut(**view), view["version"], status=201)

    @get("", operation_id="listPosts", responses=describe_responses(200, PostsOut, 400, 503))
    def list_posts(self, query: PostsQuery) -> Response:
        """List posts over all threads, newest first.

        Follow `next` until it is null; deleted posts are left out.
        """
        after = self._cursors.decode(LISTING, query.cursor)
        return self._page_response(LISTING, self._posts.list_newest(query.limit, after))

    @get(
        "/in-thread/<id:thread_id>",
        operation_id="listPostsInThread",
        responses=describe_responses(200, PostsOut, 400, 404, 503),
    )
    def list_posts_in_thread(self, path: ThreadPath, query: InThreadQuery) -> Response:
        """List a thread's posts, deleted ones too, oldest first or newest first.

        Follow `next` until it is null; a cursor belongs to one order.
        """
        listing = f"{LISTING}:in-thread:{path.thread_id}:{query.order}"
        after = self._cursors.decode(listing, query.cursor)
        page = self._posts.list_in_thread(
            path.thread_id, query.limit, after, ascending=query.order == "asc"
        )
        return self._page_response(listing, page)

    @get(
        "/by-user/<id:user_id>",
        operation_id="listPostsByUser",
        responses=describe_responses(200, PostsOut, 400, 404, 503),
    )
    def list_posts_by_user(self, path: UserPath, query: PostsQuery) -> Response:
        """List a person's posts, newest first.

        Follow `next` until it is null; deleted posts are left out.
        """
        listing = f"{LISTING}:by-user:{path.user_id}"
        after = self._cursors.decode(listing, query.cursor)
        page = self._posts.list_by_author(path.user_id, query.limit, after)
        return self._page_response(listing, page)

    @get("/openapi.json", doc_ui=False)
    def openapi(self) -> Response:
        """Return the OpenAPI document of this API."""
        return document_response(self._document)

    @get(
        "/<id:post_id>",
        operation_id="getPost",
        responses=describe_responses(200, PostOut, 404, 503),
    )
    def get_post(self, path: PostPath) -> Response:
        """Read a post.

        A deleted one has neither a text nor HTML.
        """
        found = self._posts.get(path.post_id)
        return _post_response(PostOut(**public_view(found)), found.version)

    @patch(
        "/<id:post_id>",
        operation_id="changePost",
        security=SECURITY,
        responses=describe_responses(
            200, PostOut, 400, 401, 403, 404, 409, 412, 413, 415, 503, headers=("ETag",)
        ),
    )
    def change_post(self, path: PostPath, body: PostChange) -> Response:
        """Edit one's own post.

        `html` is rendered from the new text, and `edited_at` set.
        """
        identity = self._sessions.require()
        text = changed_fields(body)["body"]
        changed = self._posts.change(identity, path.post_id, text, read_precondition())
        return _post_response(PostOut(**public_view(changed)), changed.version)

    @delete(
        "/<id:post_id>",
        operation_id="deletePost",
        security=SECURITY,
        responses=describe_responses(204, None, 401, 403, 404, 409, 412, 503),
    )
    def delete_post(self, path: PostPath) -> Response:
        """Remove a post's text, as its author or a moderator; a placeholder remains.

        A second deletion changes nothing.
        """
        self._posts.delete(self._sessions.require(), path.post_id, read_precondition())
        return json_response(None, 204)

    def _page_response(self, listing: str, page: Page[Post]) -> Response:
        shown = [PostOut(**public_view(one)) for one in page.items]
        return json_response(PostsOut(items=shown, next=self._cursors.encode(listing, page.next)))


def _post_response(shown: PostOut, version: int, status: int = 200) -> Response:
    location = f"/api/posts/{shown.id}" if status == 201 else None
    return json_response(shown, status, version=version, location=location)
