"""Use cases of posts on the forum's own database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from chassis.clock import Clock, NewId, clamp_to_present, creation_time, sort_after
from chassis.concurrency import Precondition, require_current
from chassis.errors import Conflict, Forbidden, NotFound
from chassis.idempotency.keys import (
    DuplicateIdempotencyKey,
    IdempotencyKey,
    require_stored_response,
)
from chassis.markdown import render
from chassis.pagination import Cursors
from forum import idempotency
from forum.database import Database
from forum.outbox import Recorder
from forum.pagination import Listing, paginate
from forum.posts import events
from forum.posts.models import PostRow
from forum.posts.page_length import page_length
from forum.posts.state import Post
from forum.threads.admission import ThreadAdmission
from forum.threads.models import ThreadRow
from forum.users.actors import Actors
from forum.users.port import Identity
from forum.users.rules import MODERATOR


@dataclass(frozen=True)
class SqlPosts:
    """The use cases of posts.

    `actors` and `threads` return the implementation for the current owner of users and of threads.
    """

    database: Database
    actors: Callable[[], Actors]
    threads: Callable[[], ThreadAdmission]
    cursors: Cursors
    clock: Clock
    new_id: NewId
    recorder: Recorder

    def create(
        self, identity: Identity, thread_id: str, body: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Add a post, and return its public view.

        Raises:
            NotFound: there is no such thread.
            Conflict: the thread is locked.
            IdempotencyKeyReused: the idempotency key was used for another request.
        """
        now = self.clock()
        with self.database.reading() as session:
            if response := idempotency.find_response(session, key, now):
                return response
        html = render(body)
        threads = self.threads()
        threads.require_known(thread_id)
        try:
            with self.database.writing() as session:
                actor = self.actors().authorize_writer(session, identity)
                older = creation_time(thread_id), _newest_post_at(session, thread_id)
                post_id, created_at = sort_after(self.new_id(), self.clock(), *older)
                post = Post(
                    id=post_id,
                    thread_id=thread_id,
                    author=actor.author,
                    body=body,
                    html=html,
                    created_at=created_at,
                    edited_at=None,
                    deleted=False,
                    version=1,
                )
                idempotency.store_response(session, key, post.public_view(), now)
                threads.admit_post(session, thread_id)
                row = PostRow(
                    id=post.id,
                    thread_id=thread_id,
                    author_id=actor.id,
                    body=body,
                    html=html,
                    created_at=created_at,
                    edited_at=None,
                    deleted=False,
                    version=1,
                )
                session.add(row)
                activity = clamp_to_present(created_at, self.clock())
                threads.update_counters(session, thread_id, 1, activity)
                self._record(session, events.CREATED, row)
        except DuplicateIdempotencyKey:
            with self.database.reading() as session:
                return require_stored_response(idempotency.find_response(session, key, now))
        return post.public_view()

    def get(self, post_id: str) -> Post:
        """Return a post.

        Raises:
            NotFound: there is no such post, or its thread was deleted.
        """
        with self.database.reading() as session:
            return _require_post(session, post_id).to_post()

    def newest(self, limit: int, cursor: str) -> Listing[Post]:
        """List posts of all threads, newest first."""
        query = _visible_posts().where(PostRow.deleted.is_(False))
        return self._page("posts", query, limit, cursor)

    def by_user(self, user_id: str, limit: int, cursor: str) -> Listing[Post]:
        """List an author's posts, newest first."""
        query = _visible_posts().where(PostRow.author_id == user_id, PostRow.deleted.is_(False))
        return self._page(f"posts:by-user:{user_id}", query, limit, cursor)

    def in_thread(self, thread_id: str, order: str, limit: int, cursor: str) -> Listing[Post]:
        """List a thread's posts: `asc` oldest first, `desc` newest first.

        Raises:
            NotFound: there is no such thread.
        """
        listing = f"posts:in-thread:{thread_id}:{order}"
        query = _visible_posts().where(PostRow.thread_id == thread_id)
        page = self._page(listing, query, limit, cursor, ascending=order == "asc")
        if not page.items and not cursor:
            self.threads().require_known(thread_id)
        return page

    def change(self, identity: Identity, post_id: str, body: str, expected: Precondition) -> Post:
        """Replace the text of one's own post.

        Raises:
            Forbidden, NotFound, PreconditionFailed: as their names say.
            Conflict: it was deleted.
        """
        # Outside of the transaction, where it would block other writes.
        html = render(body)
        with self.database.writing() as session:
            actor = self.actors().authorize_writer(session, identity)
            row = _require_post(session, post_id, locked=True)
            if actor.id != row.author_id:
                detail = "Only the author may edit this post."
                raise Forbidden(detail)
            if row.deleted:
                detail = "This post was deleted."
                raise Conflict(detail, kind="urn:problem:post-deleted")
            require_current(row.version, expected)
            row.body = body
            row.html = html
            row.edited_at = max(self.clock(), row.created_at)
            row.version += 1
            session.flush()
            self._record(session, events.UPDATED, row)
            return row.to_post()

    def delete(self, identity: Identity, post_id: str, expected: Precondition) -> None:
        """Delete a post, as its author or a moderator; idempotent.

        Raises:
            Forbidden, NotFound, PreconditionFailed: as their names say.
        """
        with self.database.writing() as session:
            actor = self.actors().authorize_writer(session, identity)
            row = _require_post(session, post_id, locked=True)
            if actor.id != row.author_id and actor.role != MODERATOR:
                detail = "Only the author or a moderator may delete this post."
                raise Forbidden(detail)
            if row.deleted:
                return
            require_current(row.version, expected)
            row.body = row.html = ""
            row.edited_at = None
            row.deleted = True
            row.version += 1
            self.threads().update_counters(session, row.thread_id, -1, None)
            self._record(session, events.DELETED, row)

    def _record(self, session: Session, kind: str, row: PostRow) -> None:
        self.recorder.record(session, kind, row.id, row.version, events.event_data(row))

    def _page(
        self,
        listing: str,
        query: Select[PostRow],
        limit: int,
        cursor: str,
        *,
        ascending: bool = False,
    ) -> Listing[Post]:
        if after := self.cursors.decode(listing, cursor):
            past = PostRow.id > after[0] if ascending else PostRow.id < after[0]
            query = query.where(past)
        query = query.order_by(PostRow.id.asc() if ascending else PostRow.id.desc())
        with self.database.reading() as session:
            posts = [row.to_post() for row in session.scalars(query.limit(limit + 1))]
        count = page_length(posts[:limit])
        return paginate(posts, count, self.cursors, listing, lambda post: (post.id,))


def _visible_posts() -> Select[PostRow]:
    """Select the posts of threads that are not deleted."""
    return select(PostRow).join(PostRow.thread).where(ThreadRow.deleted.is_(False))


def _newest_post_at(session: Session, thread_id: str) -> datetime | None:
    query = select(PostRow.created_at).where(PostRow.thread_id == thread_id)
    return session.scalars(query.order_by(PostRow.id.desc()).limit(1)).one_or_none()


def _require_post(session: Session, post_id: str, *, locked: bool = False) -> PostRow:
    query = select(PostRow).options(joinedload(PostRow.thread, innerjoin=True))
    if locked:
        query = query.with_for_update(of=PostRow)
    row = session.scalars(query.where(PostRow.id == post_id)).one_or_none()
    if row is None or row.thread.deleted:
        detail = "Post not found."
        raise NotFound(detail)
    return row
