"""Reads of threads in the forum's own database."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, select, tuple_

from chassis.clock import format_timestamp, parse_timestamp
from chassis.errors import FieldError, Invalid
from chassis.pagination import Cursors, Key
from chassis.words import is_whole, terms
from forum.database import Database
from forum.pagination import Listing, paginate
from forum.threads.models import ThreadRow, ThreadWord
from forum.threads.persistence import require_thread
from forum.threads.state import Thread

MAX_SEARCH_WORDS = 8
_LAST = "\U0010ffff"


@dataclass(frozen=True)
class ThreadQueries:
    """Reads of threads, whether the forum's own or a replica of the service's."""

    database: Database
    cursors: Cursors

    def get(self, thread_id: str) -> Thread:
        """Return a thread.

        Raises:
            NotFound: there is no such thread.
        """
        with self.database.reading() as session:
            return require_thread(session, thread_id).to_thread()

    def is_known(self, thread_id: str) -> bool:
        """Return whether a thread is known here, even if deleted."""
        with self.database.reading() as session:
            row = session.get(ThreadRow, thread_id)
            return row is not None and row.version > 0

    def titles(self, thread_ids: Collection[str]) -> Mapping[str, str]:
        """Return the titles of the threads that are known here, by id."""
        query = select(ThreadRow.id, ThreadRow.title).where(
            ThreadRow.id.in_(set(thread_ids)), ThreadRow.deleted.is_(False), ThreadRow.version > 0
        )
        with self.database.reading() as session:
            return {row.id: row.title for row in session.execute(query)} if thread_ids else {}

    def newest(self, sort: str, limit: int, cursor: str) -> Listing[Thread]:
        """List threads: by `activity`, or `newest` first."""
        listing = f"threads:{sort}"
        after = self.cursors.decode(listing, cursor)
        query = select(ThreadRow).where(ThreadRow.deleted.is_(False))
        if sort == "newest":
            return self._page(listing, _by_age(query, after), limit, _age)
        activity = tuple_(ThreadRow.last_activity_at, ThreadRow.id)
        query = query.order_by(ThreadRow.last_activity_at.desc(), ThreadRow.id.desc())
        if after:
            at, _, thread_id = after[0].partition("#")
            query = query.where(activity < (parse_timestamp(at), thread_id))
        return self._page(listing, query, limit, _activity)

    def search(self, q: str, limit: int, cursor: str) -> Listing[Thread]:
        """List the threads whose titles have all terms of `q`, newest first.

        Raises:
            Invalid: there are too many words.
        """
        wanted = terms(q)
        if len(wanted) > MAX_SEARCH_WORDS:
            raise Invalid(FieldError("q", f"must have at most {MAX_SEARCH_WORDS} words"))
        listing = f"threads:search:{' '.join(wanted)}"
        after = self.cursors.decode(listing, cursor)
        if not wanted:
            return Listing([], None)
        query = _by_age(select(ThreadRow).where(ThreadRow.deleted.is_(False)), after)
        for term in wanted:
            query = query.where(
                ThreadRow.id.in_(select(ThreadWord.thread_id).where(_is_found(term)))
            )
        return self._page(listing, query, limit, _age)

    def _page(
        self, listing: str, query: Select[ThreadRow], limit: int, key: Callable[[Thread], Key]
    ) -> Listing[Thread]:
        with self.database.reading() as session:
            threads = [row.to_thread() for row in session.scalars(query.limit(limit + 1))]
        return paginate(threads, limit, self.cursors, listing, key)


def _is_found(term: str) -> ColumnElement[bool]:
    """Compare the beginnings of words with a term; a range of the index, unlike most LIKEs."""
    if is_whole(term):
        return ThreadWord.word == term
    return and_(ThreadWord.word >= term, ThreadWord.word < term + _LAST)


def _by_age(query: Select[ThreadRow], after: Key | None) -> Select[ThreadRow]:
    if after:
        query = query.where(ThreadRow.id < after[0])
    return query.order_by(ThreadRow.id.desc())


def _age(thread: Thread) -> Key:
    return (thread.id,)


def _activity(thread: Thread) -> Key:
    return (f"{format_timestamp(thread.last_activity_at)}#{thread.id}",)
