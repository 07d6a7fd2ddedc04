"""Threads in the forum's own database."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, select, tuple_
from sqlalchemy.orm import Session

from chassis.clock import Clock, NewId, moment, stamp
from chassis.errors import Conflict, Forbidden
from chassis.idempotency import IdempotencyKey, KeyTaken, first_answer
from chassis.paging import Cursors, Key
from chassis.tokens import Identity
from chassis.versions import Precondition, must_be_current
from forum import answers
from forum.database import Database
from forum.listing import Listing
from forum.posts.gate import PostsGate
from forum.threads.gate import no_such_thread
from forum.threads.models import ThreadRow, ThreadWord
from forum.threads.port import Thread
from forum.threads.rules import INDEXED_WORDS, searched, words
from forum.users.actors import Actor, Actors
from forum.users.rules import MODERATOR


@dataclass(frozen=True)
class SqlThreads:
    """What people can do with threads, on the forum's own database."""

    database: Database
    actors: Actors
    posts: PostsGate
    cursors: Cursors
    clock: Clock
    new_id: NewId

    def create(
        self, identity: Identity, title: str, key: IdempotencyKey | None = None
    ) -> dict[str, Any]:
        """Open a thread and answer its view.

        Raises:
            KeyReused: the idempotency key was used for another request.
        """
        now = self.clock()
        with self.database.reading() as session:
            if answer := answers.find(session, key, now):
                return answer
        try:
            with self.database.writing() as session:
                actor = self.actors.writer(session, identity)
                thread = Thread(self.new_id(), title, actor.author, now, now, 0, False, 1)
                answers.keep(session, key, thread.view(), now)
                session.add(
                    ThreadRow(
                        id=thread.id,
                        title=title,
                        author_id=actor.id,
                        created_at=now,
                        last_activity_at=now,
                        post_count=0,
                        locked=False,
                        deleted=False,
                        version=1,
                    )
                )
                session.flush()
                _index(session, thread.id, title)
        except KeyTaken:
            with self.database.reading() as session:
                return first_answer(answers.find(session, key, now))
        return thread.view()

    def get(self, thread_id: str) -> Thread:
        """Read a thread.

        Raises:
            NotFound: there is no such thread.
        """
        with self.database.reading() as session:
            return _existing(session, thread_id).seen()

    def newest(self, sort: str, limit: int, cursor: str) -> Listing[Thread]:
        """List threads: by `activity`, or `newest` first."""
        listing = f"threads:{sort}"
        after = self.cursors.decode(listing, cursor)
        query = select(ThreadRow).where(ThreadRow.deleted.is_(False))
        if sort == "newest":
            query = _by_age(query, after)
        else:
            activity = tuple_(ThreadRow.last_activity_at, ThreadRow.id)
            query = query.order_by(ThreadRow.last_activity_at.desc(), ThreadRow.id.desc())
            if after:
                at, _, thread_id = after[0].partition("#")
                query = query.where(activity < (moment(at), thread_id))
        return self._page(listing, query, limit, by_activity=sort != "newest")

    def search(self, words: str, limit: int, cursor: str) -> Listing[Thread]:
        """List the threads whose titles hold all words, newest first.

        Raises:
            Invalid: there are too many words.
        """
        wanted = searched(words)
        listing = f"threads:search:{' '.join(wanted)}"
        after = self.cursors.decode(listing, cursor)
        if not wanted:
            return Listing([], None)
        query = _by_age(select(ThreadRow).where(ThreadRow.deleted.is_(False)), after)
        for word in wanted:
            holding = select(ThreadWord.thread_id).where(
                ThreadWord.word == word, ThreadWord.thread_id == ThreadRow.id
            )
            query = query.where(holding.exists())
        return self._page(listing, query, limit, by_activity=False)

    def change(
        self, identity: Identity, thread_id: str, changes: dict[str, Any], expected: Precondition
    ) -> Thread:
        """Change a thread: its title by the author, title and lock by a moderator.

        Raises:
            Forbidden, NotFound: as their names say.
        """
        with self.database.writing() as session:
            actor = self.actors.writer(session, identity)
            row = _existing(session, thread_id, locked=True)
            if actor.role != MODERATOR and actor.id != row.author_id:
                detail = "Only the author or a moderator may change this thread."
                raise Forbidden(detail)
            if "locked" in changes and actor.role != MODERATOR:
                detail = "Only a moderator may lock or unlock a thread."
                raise Forbidden(detail)
            must_be_current(row.version, expected)
            for name, value in changes.items():
                setattr(row, name, value)
            row.version += 1
            if "title" in changes:
                _index(session, row.id, row.title)
            session.flush()
            return row.seen()

    def delete(self, identity: Identity, thread_id: str, expected: Precondition) -> None:
        """Delete a thread: by a moderator, or by its author while alone in it.

        Raises:
            Forbidden, NotFound: as their names say.
            Conflict: others wrote in it.
        """
        with self.database.reading() as session:
            own = _existing(session, thread_id).author_id == identity.subject
        # Only an author has to be alone, so only then is it worth asking.
        looked = self.posts.look(thread_id, identity.subject) if own else None
        with self.database.writing() as session:
            actor = self.actors.writer(session, identity)
            row = _existing(session, thread_id, locked=True)
            self._may_delete(session, actor, row, looked)
            must_be_current(row.version, expected)
            row.deleted = True
            row.version += 1
            session.execute(delete(ThreadWord).where(ThreadWord.thread_id == row.id))

    def _may_delete(
        self, session: Session, actor: Actor, row: ThreadRow, looked: bool | None
    ) -> None:
        if actor.role == MODERATOR:
            return
        if actor.id != row.author_id:
            detail = "Only the author or a moderator may delete this thread."
            raise Forbidden(detail)
        if self.posts.others_wrote(session, row.id, row.author_id, looked):
            detail = "Others have written in this thread; only a moderator may delete it."
            raise Conflict(detail, kind="urn:problem:not-alone")

    def _page(
        self, listing: str, query: Select[ThreadRow], limit: int, *, by_activity: bool
    ) -> Listing[Thread]:
        with self.database.reading() as session:
            threads = [row.seen() for row in session.scalars(query.limit(limit + 1))]
        key: Key | None = None
        if len(threads) > limit:
            last = threads[limit - 1]
            key = (f"{stamp(last.last_activity_at)}#{last.id}",) if by_activity else (last.id,)
        return Listing(threads[:limit], self.cursors.encode(listing, key))


def _by_age(query: Select[ThreadRow], after: Key | None) -> Select[ThreadRow]:
    if after:
        query = query.where(ThreadRow.id < after[0])
    return query.order_by(ThreadRow.id.desc())


def _index(session: Session, thread_id: str, title: str) -> None:
    session.execute(delete(ThreadWord).where(ThreadWord.thread_id == thread_id))
    session.add_all(
        ThreadWord(word=word, thread_id=thread_id) for word in words(title)[:INDEXED_WORDS]
    )


def _existing(session: Session, thread_id: str, *, locked: bool = False) -> ThreadRow:
    lock = {"of": ThreadRow} if locked else None
    row = session.get(ThreadRow, thread_id, with_for_update=lock, populate_existing=locked)
    if row is None or row.deleted:
        raise no_such_thread()
    return row
