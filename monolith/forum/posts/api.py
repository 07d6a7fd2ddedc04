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
from forum.pagination import Listing
from forum.posts.schemas import (
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
from forum.posts.state import Post
from forum.posts.store import SqlPosts
from forum.users.port import SessionClaims

DESCRIPTION = "Posts in threads, written in Markdown."


class PostsApi:
    """The handlers of `/api/posts`."""

    def __init__(
        self,
        posts: SqlPosts,
        sessions: Sessions[SessionClaims],
        idempotency_keys: IdempotencyKeys,
    ) -> None:
        self._posts = posts
        self._sessions = sessions
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
        return _page_response(self._posts.newest(query.limit, query.cursor))

    @get(
        "/in-thread/<id:thread_id>",
        operation_id="listPostsInThread",
        responses=describe_responses(200, PostsOut, 400, 404, 503),
    )
    def list_posts_in_thread(self, path: ThreadPath, query: InThreadQuery) -> Response:
        """List a thread's posts, deleted ones too, oldest first or newest first.

        Follow `next` until it is null; a cursor belongs to one order.
        """
        return _page_response(
            self._posts.in_thread(path.thread_id, query.order, query.limit, query.cursor)
        )

    @get(
        "/by-user/<id:user_id>",
        operation_id="listPostsByUser",
        responses=describe_responses(200, PostsOut, 400, 404, 503),
    )
    def list_posts_by_user(self, path: UserPath, query: PostsQuery) -> Response:
        """List a person's posts, newest first.

        Follow `next` until it is null; deleted posts are left out.
        """
        return _page_response(self._posts.by_user(path.user_id, query.limit, query.cursor))

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
        post = self._posts.get(path.post_id)
        return _post_response(PostOut(**post.public_view()), post.version)

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
        changes = changed_fields(body)
        post = self._posts.change(identity, path.post_id, changes["body"], read_precondition())
        return _post_response(PostOut(**post.public_view()), post.version)

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


def _page_response(page: Listing[Post]) -> Response:
    items = [PostOut(**post.public_view()) for post in page.items]
    return json_response(PostsOut(items=items, next=page.next))


def _post_response(post: PostOut, version: int, status: int = 200) -> Response:
    location = f"/api/posts/{post.id}" if status == 201 else None
    return json_response(post, status, version=version, location=location)
