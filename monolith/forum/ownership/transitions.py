"""Transitions of ownership: what an extraction writes into the forum's database.

The owner is changed in one transaction, and only during a write freeze; see
`forum.ownership.state`.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text, update

from chassis.clock import Clock
from forum.database import Database
from forum.outbox import OutboxRow
from forum.ownership.state import FROZEN, MOVING, SETTLED, DomainOwnership


@dataclass(frozen=True)
class DomainStatus:
    """The progress of a domain that is moving or has moved."""

    domain: str
    owner: str
    state: str
    phase: str
    progress: dict[str, Any]


class OwnershipTransitions:
    """Changes of the table `domains`, for an extraction."""

    def __init__(self, database: Database, domains: Iterable[str], clock: Clock) -> None:
        self._database = database
        self._domains = tuple(domains)
        self._clock = clock

    def load_all(self) -> dict[str, DomainStatus]:
        """Read the domains that are moving or have moved."""
        with self._database.reading() as session:
            return {
                row.domain: DomainStatus(
                    row.domain, row.owner, row.state, row.phase, dict(row.progress)
                )
                for row in session.scalars(select(DomainOwnership))
            }

    def begin_move(self, domain: str, owner: str, progress: dict[str, Any]) -> None:
        """Mark a domain as moving; every process has noticed after `CACHE_TTL` seconds."""
        with self._database.writing() as session:
            row = session.get(DomainOwnership, domain, with_for_update=True)
            if row is None:
                row = DomainOwnership(domain=domain)
                session.add(row)
            row.owner, row.state, row.frozen_until = owner, MOVING, 0
            row.phase, row.progress, row.changed_at = "", progress, self._clock()

    def record_progress(self, domain: str, phase: str, progress: dict[str, Any]) -> None:
        """Store the progress of a move."""
        self._set(domain, phase=phase, progress=progress)

    def wait_for_open_transactions(self) -> None:
        """Wait until every writing transaction that began before has ended."""
        # One table after another, because locking several at once could deadlock with a
        # transaction that writes several of them.
        for table in self._domains:
            with self._database.writing() as session:
                # SQLite has a single writer, so this transaction is the barrier.
                if session.get_bind().dialect.name == "postgresql":
                    session.execute(text(f"LOCK TABLE {table} IN SHARE MODE"))

    def freeze_writes(self, domain: str, seconds: float) -> None:
        """Freeze the writes of a domain for some seconds; return once earlier writes have ended."""
        with self._database.writing() as session:
            row = session.get_one(DomainOwnership, domain, with_for_update=True)
            # Counted from now on: on PostgreSQL this waited for earlier writes.
            row.state, row.frozen_until = FROZEN, int((time.time() + seconds) * 1000)
            row.changed_at = self._clock()

    def unfreeze_writes(self, domain: str) -> None:
        """End the write freeze; the move continues."""
        self._set(domain, state=MOVING, frozen_until=0)

    def change_owner(
        self, domain: str, owner: str, state: str, phase: str, *, only_while_frozen: bool = True
    ) -> bool:
        """Change the owner of a domain; return whether it changed.

        With `only_while_frozen`, only before the freeze's deadline, which proves that there was no
        write since it began.
        """
        with self._database.writing() as session:
            row = session.get_one(DomainOwnership, domain, with_for_update=True)
            lasts = row.state == FROZEN and time.time() * 1000 < row.frozen_until
            if only_while_frozen and not lasts:
                return False
            row.owner, row.state, row.frozen_until = owner, state, 0
            row.phase, row.changed_at = phase, self._clock()
        return True

    def finish_move(self, domain: str) -> None:
        """Mark a move as finished."""
        self._set(domain, state=SETTLED, frozen_until=0, phase="", progress={})

    def uncopied_changes(self, domain: str, limit: int) -> list[tuple[str, str]]:
        """Return uncopied changes of a moving domain: the event's id and the record's id."""
        query = (
            select(OutboxRow.id, OutboxRow.event)
            .where(OutboxRow.uncopied_domain == domain)
            .order_by(OutboxRow.id)
            .limit(limit)
        )
        with self._database.reading() as session:
            found = session.execute(query).all()
        return [(one, json.loads(event)["subject"]) for one, event in found]

    def mark_copied(self, events: Sequence[str]) -> None:
        """Mark changes, given by their events, as copied."""
        with self._database.writing() as session:
            marked = update(OutboxRow).where(OutboxRow.id.in_(events)).values(uncopied_domain=None)
            session.execute(marked.execution_options(synchronize_session=False))

    def discard_changes(self, domain: str) -> None:
        """Mark all changes of a domain as no longer to be copied."""
        with self._database.writing() as session:
            marked = (
                update(OutboxRow)
                .where(OutboxRow.uncopied_domain == domain)
                .values(uncopied_domain=None)
            )
            session.execute(marked.execution_options(synchronize_session=False))

    def _set(self, domain: str, **values: Any) -> None:
        with self._database.writing() as session:
            changed = update(DomainOwnership).where(DomainOwnership.domain == domain)
            session.execute(changed.values(**values, changed_at=self._clock()))
