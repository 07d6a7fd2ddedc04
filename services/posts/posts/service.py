"""Use cases of posts, on the ports; independent of Flask and boto3."""

from dataclasses import replace
from typing import Any

from chassis import codec
from chassis.auth.tokens import Identity
from chassis.clock import Clock, NewId, creation_time, sort_after
from chassis.concurrency import Precondition, require_current, retry_on_conflict
from chassis.errors import Conflict, Forbidden, NotFound
from chassis.idempotency.keys import (
    DuplicateIdempotencyKey,
    IdempotencyKey,
    require_stored_response,
)
from chassis.markdown import render
from chassis.pagination import Key, Page
from posts.model import Post, SessionClaims, Thread, may_delete, may_edit
from posts.ports import ConcurrentModification, Store, Threads

NO_SUCH_POST = "Post not found."
NO_SUCH_THREAD = "Thread not found."


class Posts:
    """The use cases of posts."""

    def __init__(self, store: Store, threads: Threads, clock: Clock, new_id: NewId) -> None:
        self._store = store
        self._threads = threads
        self._clock = clock
        self._new_id = new_id

    def create(
        self,
        identity: Identity[SessionClaims],
        thread_id: str,
        body: str,
        key: IdempotencyKey | None = None,
    ) -> dict[str, Any]:
        """Add a post to an open thread, and return its public view.

        Raises:
            Unauthenticated, Forbidden: the session's owner may no longer write.
            NotFound: there is no such thread.
            Conflict: the thread is locked.
            IdempotencyKeyReused: the idempotency key was used for another request.
            Unavailable: a needed component is unreachable. With an idempotency key it is safe to
                repeat the request: nothing is written twice.
        """
        # First: a repeated request gets its response even if the thread has changed.
        if response := self._store.find_response(key):
            return response

        def attempt() -> dict[str, Any]:
            actor, thread = self._store.authorize_in_thread(identity, thread_id)
            thread = thread or self._fetch_thread(thread_id)
            require_open_thread(thread)
            older = creation_time(thread_id), thread.newest_post_at
            post_id, created_at = sort_after(self._new_id(), self._clock(), *older)
            post = Post(
                id=post_id,
                thread_id=thread_id,
                author_id=actor.id,
                author_name=actor.display_name,
                body=body,
                html=render(body),
                created_at=created_at,
                edited_at=None,
                deleted=False,
                version=1,
            )
            self._store.add(post, key, public_view(post))
            return public_view(post)

        try:
            return retry_on_conflict(attempt, ConcurrentModification)
        except DuplicateIdempotencyKey:
            return require_stored_response(self._store.find_response(key))

    def get(self, post_id: str) -> Post:
        """Return a post.

        Raises:
            NotFound: there is no such post, or its thread was deleted.
        """
        post = self._store.get(post_id)
        if post is None:
            raise NotFound(NO_SUCH_POST)
        return post

    def list_newest(self, limit: int, after: Key | None) -> Page[Post]:
        """List posts over all threads, newest first."""
        return self._store.list_newest(limit, after)

    def list_in_thread(
        self, thread_id: str, limit: int, after: Key | None, *, ascending: bool
    ) -> Page[Post]:
        """List a thread's posts from its beginning or from its end.

        Raises:
            NotFound: there is no such thread.
            Unavailable: there are no posts here, and the owner of threads is unreachable.
        """
        page, thread = self._store.list_in_thread(thread_id, limit, after, ascending=ascending)
        if thread is None and not page.items and after is None:
            thread = self._fetch_thread(thread_id)
        if thread and thread.deleted:
            raise NotFound(NO_SUCH_THREAD)
        return page

    def list_by_author(self, author_id: str, limit: int, after: Key | None) -> Page[Post]:
        """List an author's posts, newest first."""
        return self._store.list_by_author(author_id, limit, after)

    def change(
        self, identity: Identity[SessionClaims], post_id: str, body: str, expected: Precondition
    ) -> Post:
        """Replace the text of one's own post.

        Raises:
            Unauthenticated, Forbidden, NotFound, PreconditionFailed: as their names say.
            Conflict: the post is deleted.
        """
        actor = self._store.authorize(identity)

        def attempt() -> Post:
            post = self.get(post_id)
            if not may_edit(actor.id, post):
                detail = "Only the author may edit this post."
                raise Forbidden(detail)
            if post.deleted:
                detail = "This post was deleted."
                raise Conflict(detail, kind="urn:problem:post-deleted")
            require_current(post.version, expected)
            changed = replace(
                post,
                body=body,
                html=render(body),
                edited_at=max(self._clock(), post.created_at),
                version=post.version + 1,
            )
            self._store.replace(changed, post)
            return changed

        return retry_on_conflict(attempt, ConcurrentModification)

    def delete(
        self, identity: Identity[SessionClaims], post_id: str, expected: Precondition
    ) -> None:
        """Remove a post's text, as its author or a moderator; a placeholder remains.

        Raises:
            Unauthenticated, Forbidden, NotFound, PreconditionFailed: as their names say.
        """
        actor = self._store.authorize(identity)

        def attempt() -> None:
            post = self.get(post_id)
            if not may_delete(actor.id, actor.role, post):
                detail = "Only the author or a moderator may delete this post."
                raise Forbidden(detail)
            if post.deleted:
                return
            require_current(post.version, expected)
            deleted = replace(
                post, body="", html="", edited_at=None, deleted=True, version=post.version + 1
            )
            self._store.replace(deleted, post)

        retry_on_conflict(attempt, ConcurrentModification)

    def _fetch_thread(self, thread_id: str) -> Thread:
        """Fetch a thread that is not known here, and store it in the replica."""
        return self._store.store_thread(self._threads.get(thread_id))


def require_open_thread(thread: Thread) -> None:
    """Check that a thread accepts posts.

    Raises:
        NotFound: the thread was deleted.
        Conflict: it is locked.
    """
    if thread.deleted:
        raise NotFound(NO_SUCH_THREAD)
    if thread.locked:
        detail = "This thread is locked."
        raise Conflict(detail, kind="urn:problem:thread-locked")


def public_view(post: Post) -> dict[str, Any]:
    """Return a post as JSON shows it, with its version."""
    view = codec.to_json(post)
    author = {"id": view.pop("author_id"), "display_name": view.pop("author_name")}
    return view | {"author": author}
