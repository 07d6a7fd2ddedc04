"""The API of posts: parse, call the use case, serialise."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from chassis.http import api
from chassis.http.openapi import SECURITY, build_document, describe_responses
from chassis.idempotency.keys import IdempotencyKeys
from chassis.pagination import Cursors, Page
from posts.model import Post
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


def blueprint(
    posts: Posts, sessions: api.Sessions, cursors: Cursors, fingerprints: IdempotencyKeys
) -> APIBlueprint:
    """Make the blueprint of `/api/posts`."""
    bp = APIBlueprint("posts", __name__, url_prefix="/api/posts")

    def listed(listing: str, page: Page[Post]) -> Response:
        items = [PostOut(**public_view(post)) for post in page.items]
        return api.json_response(PostsOut(items=items, next=cursors.encode(listing, page.next)))

    @bp.post(
        "",
        operation_id="createPost",
        security=SECURITY,
        responses=describe_responses(
            201, PostOut, 400, 401, 403, 404, 409, 413, 415, 422, 503, headers=("ETag", "Location")
        ),
    )
    def create_post(body: NewPost) -> Response:
        """Write a post in a thread."""
        identity = sessions.require()
        key = api.read_idempotency_key(fingerprints, identity.subject, body.model_dump())
        made = posts.create(identity, body.thread_id, body.body, key)
        return _post(PostOut(**made), made["version"], status=201)

    @bp.get("", operation_id="listPosts", responses=describe_responses(200, PostsOut, 400, 503))
    def list_posts(query: PostsQuery) -> Response:
        """List posts over all threads, newest first."""
        return listed(
            LISTING, posts.list_newest(query.limit, cursors.decode(LISTING, query.cursor))
        )

    @bp.get(
        "/in-thread/<id:thread_id>",
        operation_id="listPostsInThread",
        responses=describe_responses(200, PostsOut, 400, 404, 503),
    )
    def list_posts_in_thread(path: ThreadPath, query: InThreadQuery) -> Response:
        """List a thread's posts, deleted ones too, oldest first or newest first."""
        listing = f"{LISTING}:in-thread:{path.thread_id}:{query.order}"
        after = cursors.decode(listing, query.cursor)
        ascending = query.order == "asc"
        return listed(
            listing, posts.list_in_thread(path.thread_id, query.limit, after, ascending=ascending)
        )

    @bp.get(
        "/by-user/<id:user_id>",
        operation_id="listPostsByUser",
        responses=describe_responses(200, PostsOut, 400, 404, 503),
    )
    def list_posts_by_user(path: UserPath, query: PostsQuery) -> Response:
        """List a person's posts, newest first."""
        listing = f"{LISTING}:by-user:{path.user_id}"
        after = cursors.decode(listing, query.cursor)
        return listed(listing, posts.list_by_author(path.user_id, query.limit, after))

    @bp.get("/openapi.json", doc_ui=False)
    def openapi() -> Response:
        """Give the OpenAPI document of this API."""
        return api.public_json_response(document)

    @bp.get(
        "/<id:post_id>",
        operation_id="getPost",
        responses=describe_responses(200, PostOut, 404, 503, headers=("ETag",)),
    )
    def get_post(path: PostPath) -> Response:
        """Read a post."""
        post = posts.get(path.post_id)
        return _post(PostOut(**public_view(post)), post.version)

    @bp.patch(
        "/<id:post_id>",
        operation_id="changePost",
        security=SECURITY,
        responses=describe_responses(
            200, PostOut, 400, 401, 403, 404, 409, 412, 413, 415, 503, headers=("ETag",)
        ),
    )
    def change_post(path: PostPath, body: PostChange) -> Response:
        """Rewrite one's own post."""
        identity = sessions.require()
        changes = api.changed_fields(body)
        post = posts.change(identity, path.post_id, changes["body"], api.read_precondition())
        return _post(PostOut(**public_view(post)), post.version)

    @bp.delete(
        "/<id:post_id>",
        operation_id="deletePost",
        security=SECURITY,
        responses=describe_responses(204, None, 401, 403, 404, 409, 412, 503),
    )
    def delete_post(path: PostPath) -> Response:
        """Take a post's text away, as its author or a moderator; it keeps its place."""
        posts.delete(sessions.require(), path.post_id, api.read_precondition())
        return api.json_response(None, 204)

    document = build_document(bp, "Posts", PostOut, PostsOut)
    return bp


def _post(post: PostOut, version: int, status: int = 200) -> Response:
    location = f"/api/posts/{post.id}" if status == 201 else None
    return api.json_response(post, status, version=version, location=location)
