"""The API of threads: parse, call the use case, serialise."""

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from chassis.errors import FieldError, Invalid
from chassis.http import api
from chassis.http.openapi import SECURITY, build_document, describe_responses
from chassis.idempotency.keys import IdempotencyKeys
from forum.pagination import Listing
from forum.threads.port import Thread
from forum.threads.schemas import (
    NewThread,
    ThreadChange,
    ThreadOut,
    ThreadPath,
    ThreadsOut,
    ThreadsQuery,
)
from forum.threads.store import SqlThreads


def blueprint(
    threads: SqlThreads, sessions: api.Sessions, fingerprints: IdempotencyKeys
) -> APIBlueprint:
    """Make the blueprint of `/api/threads`."""
    bp = APIBlueprint("threads", __name__, url_prefix="/api/threads")

    def listed(page: Listing[Thread]) -> Response:
        items = [ThreadOut(**thread.public_view()) for thread in page.items]
        return api.json_response(ThreadsOut(items=items, next=page.next))

    @bp.post(
        "",
        operation_id="createThread",
        security=SECURITY,
        responses=describe_responses(
            201, ThreadOut, 400, 401, 403, 413, 415, 422, 503, headers=("ETag", "Location")
        ),
    )
    def create_thread(body: NewThread) -> Response:
        """Begin a thread."""
        identity = sessions.require()
        key = api.read_idempotency_key(fingerprints, identity.subject, body.model_dump())
        made = threads.create(identity, body.title, key)
        return _thread(ThreadOut(**made), made["version"], status=201)

    @bp.get("", operation_id="listThreads", responses=describe_responses(200, ThreadsOut, 400, 503))
    def list_threads(query: ThreadsQuery) -> Response:
        """List threads, or find those with all the words of `q` in their titles."""
        if not query.q:
            return listed(threads.newest(query.sort, query.limit, query.cursor))
        if "sort" in query.model_fields_set and query.sort == "activity":
            raise Invalid(FieldError("sort", "must not be activity together with q"))
        return listed(threads.search(query.q, query.limit, query.cursor))

    @bp.get("/openapi.json", doc_ui=False)
    def openapi() -> Response:
        """Give the OpenAPI document of this API."""
        return api.public_json_response(document)

    @bp.get(
        "/<id:thread_id>",
        operation_id="getThread",
        responses=describe_responses(200, ThreadOut, 404, 503, headers=("ETag",)),
    )
    def get_thread(path: ThreadPath) -> Response:
        """Read a thread."""
        thread = threads.get(path.thread_id)
        return _thread(ThreadOut(**thread.public_view()), thread.version)

    @bp.patch(
        "/<id:thread_id>",
        operation_id="changeThread",
        security=SECURITY,
        responses=describe_responses(
            200, ThreadOut, 400, 401, 403, 404, 409, 412, 413, 415, 503, headers=("ETag",)
        ),
    )
    def change_thread(path: ThreadPath, body: ThreadChange) -> Response:
        """Change a thread: the title by its author or a moderator, the lock by a moderator."""
        identity = sessions.require()
        thread = threads.change(
            identity, path.thread_id, api.changed_fields(body), api.read_precondition()
        )
        return _thread(ThreadOut(**thread.public_view()), thread.version)

    @bp.delete(
        "/<id:thread_id>",
        operation_id="deleteThread",
        security=SECURITY,
        responses=describe_responses(204, None, 401, 403, 404, 409, 412, 503),
    )
    def delete_thread(path: ThreadPath) -> Response:
        """Delete a thread: its author while alone in it, or a moderator."""
        threads.delete(sessions.require(), path.thread_id, api.read_precondition())
        return api.json_response(None, 204)

    document = build_document(bp, "Threads", ThreadOut, ThreadsOut)
    return bp


def _thread(thread: ThreadOut, version: int, status: int = 200) -> Response:
    location = f"/api/threads/{thread.id}" if status == 201 else None
    return api.json_response(thread, status, version=version, location=location)
