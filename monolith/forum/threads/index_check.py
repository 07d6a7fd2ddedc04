"""Comparison of the words of the search with the titles of threads."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload

from chassis.ownership.records import Record
from chassis.words import beginnings
from forum.database import Database
from forum.threads.models import ThreadRow, ThreadWord
from forum.threads.persistence import index_title, lock_thread


@dataclass(frozen=True)
class ThreadIndexCheck:
    """Implementation of `chassis.ownership.index_check.IndexCheck`."""

    database: Database

    def check_records(self, records: Sequence[Record], *, repair: bool) -> dict[str, str]:
        """Find threads that are not found by the words of their title, or by others."""
        return self._compare([record["id"] for record in records], repair=repair)

    def check_entries(
        self, after: str, limit: int, *, repair: bool
    ) -> tuple[dict[str, str], str | None]:
        """Find threads that are found by a word that their title does not have."""
        query = (
            select(ThreadWord.thread_id)
            .where(ThreadWord.thread_id > after)
            .distinct()
            .order_by(ThreadWord.thread_id)
            .limit(limit)
        )
        with self.database.reading() as session:
            ids = list(session.scalars(query))
        return self._compare(ids, repair=repair), ids[-1] if len(ids) == limit else None

    def _compare(self, ids: Sequence[str], *, repair: bool) -> dict[str, str]:
        """Compare the words of some threads with their titles, in both directions."""
        query = select(ThreadRow).options(lazyload(ThreadRow.author)).where(ThreadRow.id.in_(ids))
        with self.database.reading() as session:
            suspects = [row.id for row in session.scalars(query) if any(_difference(session, row))]
        wrong = dict[str, str]()
        for one in suspects:
            # Locked: a title that changes between two reads is no difference.
            with self.database.writing() as session:
                row = lock_thread(session, one)
                missing, extra = _difference(session, row) if row else ((), ())
                problems = [f"not found by {', '.join(sorted(missing))}"] if missing else []
                problems += [f"found by {', '.join(sorted(extra))}"] if extra else []
                if row is None or not problems:
                    continue
                wrong[one] = "; ".join(problems)
                if repair:
                    index_title(session, one, "" if row.deleted else row.title)
        return wrong


def _difference(session: Session, row: ThreadRow) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words by which a thread should be found but is not, and the other way round."""
    query = select(ThreadWord.word).where(ThreadWord.thread_id == row.id)
    stored = frozenset(session.scalars(query))
    wanted = frozenset() if row.deleted else frozenset(beginnings(row.title))
    return wanted - stored, stored - wanted
