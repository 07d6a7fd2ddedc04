"""HTTP API of threads: each handler parses the request, calls a use case and serializes."""

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from chassis.auth.sessions import Sessions
from chassis.errors import FieldError, Invalid
from chassis.http.openapi import SECURITY, build_document, describe_responses, document_response
from chassis.http.requests import changed_fields, read_idempotency_key, read_precondition
from chassis.http.responses import json_response
from chassis.http.routing import add_routes, delete, get, patch, post
from chassis.idempotency.keys import IdempotencyKeys
from forum.pagination import Listing
from forum.threads.schemas import (
    NewThread,
    ThreadChange,
    ThreadOut,
    ThreadPath,
    ThreadsOut,
    ThreadsQuery,
)
from forum.threads.state import Thread
from forum.threads.store import SqlThreads
from forum.users.port import SessionClaims

DESCRIPTION = "Threads: their titles, authors, counts and locks."


class ThreadsApi:
    """The handlers of `/api/threads`."""

    def __init__(
        self,
        threads: SqlThreads,
        sessions: Sessions[SessionClaims],
        idempotency_keys: IdempotencyKeys,
    ) -> None:
        self._threads = threads
        self._sessions = sessions
        self._idempotency_keys = idempotency_keys
        self._document: dict[str, Any] = {}

    def blueprint(self) -> APIBlueprint:
        """Build the blueprint, with its OpenAPI document."""
        blueprint = APIBlueprint("threads", __name__, url_prefix="/api/threads")
        add_routes(blueprint, self)
        self._document = build_document(blueprint, "Threads", DESCRIPTION, ThreadOut, ThreadsOut)
        return blueprint

    @post(
        "",
        operation_id="createThread",
        security=SECURITY,
        responses=describe_responses(
            201, ThreadOut, 400, 401, 403, 413, 415, 422, 503, headers=("ETag", "Location")
        ),
    )
    def create_thread(self, body: NewThread) -> Response:
        """Start a thread.

        It has no posts yet; the author writes the first one in a second request.
        """
        identity = self._sessions.require()
        key = read_idempotency_key(self._idempotency_keys, identity.subject, body.model_dump())
        view = self._threads.create(identity, body.title, key)
        return _thread_response(ThreadOut(**view), view["version"], status=201)

    @get("", operation_id="listThreads", responses=describe_responses(200, ThreadsOut, 400, 503))
    def list_threads(self, query: ThreadsQuery) -> Response:
        """List threads, or find those whose titles have all the terms of `q`.

        Follow `next` until it is null; a cursor belongs to the list and order that it came
        from.
        """
        if not query.q:
            return _page_response(self._threads.newest(query.sort, query.limit, query.cursor))
        if "sort" in query.model_fields_set and query.sort == "activity":
            raise Invalid(FieldError("sort", "cannot be activity when q is given"))
        return _page_response(self._threads.search(query.q, query.limit, query.cursor))

    @get("/openapi.json", doc_ui=False)
    def openapi(self) -> Response:
        """Return the OpenAPI document of this API."""
        return document_response(self._document)

    @get(
        "/<id:thread_id>",
        operation_id="getThread",
        responses=describe_responses(200, ThreadOut, 404, 503),
    )
    def get_thread(self, path: ThreadPath) -> Response:
        """Read a thread.

        The number of posts and the author's name follow writes within seconds.
        """
        thread = self._threads.get(path.thread_id)
        return _thread_response(ThreadOut(**thread.public_view()), thread.version)

    @patch(
        "/<id:thread_id>",
        operation_id="changeThread",
        security=SECURITY,
        responses=describe_responses(
            200, ThreadOut, 400, 401, 403, 404, 409, 412, 413, 415, 503, headers=("ETag",)
        ),
    )
    def change_thread(self, path: ThreadPath, body: ThreadChange) -> Response:
        """Change a thread: the title by its author or a moderator, the lock by a moderator.

        Fields that the body does not name stay unchanged.
        """
        identity = self._sessions.require()
        thread = self._threads.change(
            identity, path.thread_id, changed_fields(body), read_precondition()
        )
        return _thread_response(ThreadOut(**thread.public_view()), thread.version)

    @delete(
        "/<id:thread_id>",
        operation_id="deleteThread",
        security=SECURITY,
        responses=describe_responses(204, None, 401, 403, 404, 409, 412, 503),
    )
    def delete_thread(self, path: ThreadPath) -> Response:
        """Delete a thread: its author while alone in it, or a moderator.

        Its posts are deleted with it.
        """
        self._threads.delete(self._sessions.require(), path.thread_id, read_precondition())
        return json_response(None, 204)


def _page_response(page: Listing[Thread]) -> Response:
    items = [ThreadOut(**thread.public_view()) for thread in page.items]
    return json_response(ThreadsOut(items=items, next=page.next))


def _thread_response(thread: ThreadOut, version: int, status: int = 200) -> Response:
    location = f"/api/threads/{thread.id}" if status == 201 else None
    return json_response(thread, status, version=version, location=location)
