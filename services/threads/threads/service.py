"""Use cases of threads, on the ports; independent of Flask and boto3."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chassis import codec
from chassis.auth.tokens import Identity
from chassis.clock import Clock, NewId
from chassis.concurrency import Precondition, require_current, retry_on_conflict
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from chassis.idempotency.keys import (
    DuplicateIdempotencyKey,
    IdempotencyKey,
    require_stored_response,
)
from chassis.pagination import Key, Page
from chassis.words import terms
from threads.model import (
    SessionClaims,
    Thread,
    may_delete,
    may_lock,
    may_rename,
    must_be_sole_author,
)
from threads.ports import ConcurrentModification, Posts, Store

NO_SUCH_THREAD = "Thread not found."
MAX_SEARCH_WORDS = 8


class Threads:
    """The use cases of threads."""

    def __init__(self, store: Store, posts: Posts, clock: Clock, new_id: NewId) -> None:
        self._store = store
        self._posts = posts
        self._clock = clock
        self._new_id = new_id

    def create(
        self, identity: Identity[SessionClaims], title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Start a thread, and return its public view.

        Raises:
            Unauthenticated, Forbidden: the session's owner may no longer write.
            IdempotencyKeyReused: the idempotency key was used for another request.
        """
        if response := self._store.find_response(key):
            return response
        actor = self._store.authorize(identity)
        now = self._clock()
        thread = Thread(
            id=self._new_id(),
            title=title,
            author_id=actor.id,
            author_name=actor.display_name,
            created_at=now,
            last_activity_at=now,
            post_count=0,
            locked=False,
            version=1,
        )
        try:
            self._store.add(thread, key, public_view(thread))
        except DuplicateIdempotencyKey:
            return require_stored_response(self._store.find_response(key))
        return public_view(thread)

    def get(self, thread_id: str) -> Thread:
        """Return a thread.

        Raises:
            NotFound: there is no such thread.
        """
        thread = self._store.get(thread_id)
        if thread is None:
            raise NotFound(NO_SUCH_THREAD)
        return thread

    def list_by_activity(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads, latest activity first."""
        return self._store.list_by_activity(limit, after)

    def list_newest(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads, newest first."""
        return self._store.list_newest(limit, after)

    def search(self, wanted: Sequence[str], limit: int, after: Key | None) -> Page[Thread]:
        """List threads with all the wanted terms in their titles, newest first."""
        return self._store.search(wanted, limit, after) if wanted else Page([], None)

    def change(
        self,
        identity: Identity[SessionClaims],
        thread_id: str,
        changes: dict[str, Any],
        expected: Precondition,
    ) -> Thread:
        """Change a thread: its title by the author or a moderator, its lock by a moderator.

        Raises:
            Unauthenticated, Forbidden, NotFound, PreconditionFailed: as their names say.
        """
        actor = self._store.authorize(identity)

        def attempt() -> Thread:
            thread = self.get(thread_id)
            if not may_rename(actor.id, actor.role, thread):
                detail = "Only the author or a moderator may change this thread."
                raise Forbidden(detail)
            if "locked" in changes and not may_lock(actor.role):
                detail = "Only a moderator may lock or unlock a thread."
                raise Forbidden(detail)
            require_current(thread.version, expected)
            changed = replace(thread, **changes, version=thread.version + 1)
            self._store.replace(changed, thread)
            return changed

        return retry_on_conflict(attempt, ConcurrentModification)

    def delete(
        self, identity: Identity[SessionClaims], thread_id: str, expected: Precondition
    ) -> None:
        """Delete a thread, as a moderator, or as the author while alone in it.

        Raises:
            Conflict: others have written in it.
            Unauthenticated, Forbidden, NotFound, PreconditionFailed: as their names say.
            Unavailable: the owner of posts is unreachable, so this can't be checked.
        """
        actor = self._store.authorize(identity)

        def attempt() -> None:
            thread = self.get(thread_id)
            if not may_delete(actor.id, actor.role, thread):
                detail = "Only the author or a moderator may delete this thread."
                raise Forbidden(detail)
            if must_be_sole_author(actor.role) and not self._posts.has_only_author(
                actor.id, thread_id
            ):
                detail = "Other people have posted in this thread. Only a moderator may delete it."
                raise Conflict(detail, kind="urn:problem:not-alone")
            require_current(thread.version, expected)
            self._store.delete(thread)

        retry_on_conflict(attempt, ConcurrentModification)


def public_view(thread: Thread) -> dict[str, Any]:
    """Return a thread as JSON shows it, with its version."""
    view = codec.to_json(thread)
    author = {"id": view.pop("author_id"), "display_name": view.pop("author_name")}
    return view | {"author": author}


def search_terms(q: str) -> Sequence[str]:
    """Return the terms to search for.

    Raises:
        Invalid: there are too many.
    """
    wanted = terms(q)
    if len(wanted) > MAX_SEARCH_WORDS:
        raise Invalid(FieldError("q", f"must have at most {MAX_SEARCH_WORDS} words"))
    return wanted


def reject_search_by_activity(sorted_by_activity: bool) -> None:
    """Check that search results are not to be sorted by activity.

    Raises:
        Invalid: they are.
    """
    if sorted_by_activity:
        raise Invalid(FieldError("sort", "cannot be activity when q is given"))
