"""The use cases of threads; knows ports, neither Flask nor boto3."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from chassis.auth.tokens import Identity
from chassis.clock import Clock, NewId, format_timestamp
from chassis.concurrency import Precondition, require_current, retry_on_conflict
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from chassis.idempotency.keys import (
    DuplicateIdempotencyKey,
    IdempotencyKey,
    require_stored_response,
)
from chassis.pagination import Key, Page
from threads.model import (
    Author,
    Thread,
    may_delete,
    may_lock,
    may_rename,
    must_be_sole_author,
    words,
)
from threads.ports import ConcurrentModification, Posts, Store

NO_SUCH_THREAD = "There is no such thread."
MAX_SEARCH_WORDS = 8


class Threads:
    """What people can do with threads."""

    def __init__(self, store: Store, posts: Posts, clock: Clock, new_id: NewId) -> None:
        self._store = store
        self._posts = posts
        self._clock = clock
        self._new_id = new_id

    def create(
        self, identity: Identity, title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Begin a thread and answer it as others see it.

        Raises:
            Unauthenticated, Forbidden: whose session it is may not write any more.
            KeyReused: the idempotency key was used for another request.
        """
        if answer := self._store.find_response(key):
            return answer
        actor = self._store.authorize(identity)
        now = self._clock()
        thread = Thread(
            id=self._new_id(),
            title=title,
            author=Author(actor.subject, actor.name),
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
        """Read a thread.

        Raises:
            NotFound: there is no such thread.
        """
        thread = self._store.get(thread_id)
        if thread is None:
            raise NotFound(NO_SUCH_THREAD)
        return thread

    def list_by_activity(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads, the latest activity first."""
        return self._store.list_by_activity(limit, after)

    def list_newest(self, limit: int, after: Key | None) -> Page[Thread]:
        """List threads, newest first."""
        return self._store.list_newest(limit, after)

    def search(self, wanted: Sequence[str], limit: int, after: Key | None) -> Page[Thread]:
        """List threads with all the wanted words in their titles, newest first."""
        return self._store.search(wanted, limit, after) if wanted else Page([], None)

    def change(
        self, identity: Identity, thread_id: str, changes: dict[str, Any], expected: Precondition
    ) -> Thread:
        """Change a thread: its title by the author or a moderator, its lock by a moderator.

        Raises:
            Unauthenticated, Forbidden, NotFound, Stale: as their names say.
        """
        actor = self._store.authorize(identity)

        def attempt() -> Thread:
            thread = self.get(thread_id)
            if not may_rename(actor.subject, actor.role, thread):
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

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread: by a moderator, or by the author while alone in it.

        Raises:
            Conflict: others have written in it.
            Unauthenticated, Forbidden, NotFound, Stale: as their names say.
            Unavailable: whether others have written in it can't be known right now.
        """
        actor = self._store.authorize(identity)

        def attempt() -> None:
            thread = self.get(thread_id)
            if not may_delete(actor.subject, actor.role, thread):
                detail = "Only the author or a moderator may delete this thread."
                raise Forbidden(detail)
            if must_be_sole_author(actor.role) and not self._posts.has_only_author(
                actor.subject, thread_id
            ):
                detail = "Others have written in this thread; only a moderator may delete it."
                raise Conflict(detail, kind="urn:problem:not-alone")
            require_current(thread.version, expected)
            self._store.delete(thread)

        retry_on_conflict(attempt, ConcurrentModification)


def public_view(thread: Thread) -> dict[str, Any]:
    """Give what everybody may see of a thread."""
    return asdict(thread) | {
        "created_at": format_timestamp(thread.created_at),
        "last_activity_at": format_timestamp(thread.last_activity_at),
    }


def search_words(q: str) -> tuple[str, ...]:
    """Take the words to search for.

    Raises:
        Invalid: there are too many.
    """
    wanted = words(q)
    if len(wanted) > MAX_SEARCH_WORDS:
        raise Invalid(FieldError("q", f"must have at most {MAX_SEARCH_WORDS} words"))
    return wanted


def reject_search_by_activity(sorted_by_activity: bool) -> None:
    """Refuse to sort what was found by its activity.

    Raises:
        Invalid: that was asked for.
    """
    if sorted_by_activity:
        raise Invalid(FieldError("sort", "must not be activity together with q"))
