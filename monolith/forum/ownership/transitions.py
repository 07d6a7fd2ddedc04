"""What whoever moves a domain writes into the forum's database: its owner, and the move's phase.

The owner is changed here, in one transaction, and only while a hold lasts; see
`forum.ownership.state`.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text, update

from chassis.clock import Clock
from forum.database import Database
from forum.outbox import OutboxRow
from forum.ownership.state import DOMAINS, FROZEN, MOVING, SETTLED, DomainOwnership


@dataclass(frozen=True)
class DomainStatus:
    """A domain that moves or was moved."""

    domain: str
    owner: str
    state: str
    phase: str
    progress: dict[str, Any]


class OwnershipTransitions:
    """The table of domains, for whoever moves them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def load_all(self) -> dict[str, DomainStatus]:
        """Read the domains that move or were moved."""
        with self._database.reading() as session:
            return {
                row.domain: DomainStatus(
                    row.domain, row.owner, row.state, row.phase, dict(row.progress)
                )
                for row in session.scalars(select(DomainOwnership))
            }

    def begin_move(self, domain: str, owner: str, progress: dict[str, Any]) -> None:
        """Mark a domain as moving; every process knows after `BELIEVED` seconds."""
        with self._database.writing() as session:
            row = session.get(DomainOwnership, domain, with_for_update=True)
            if row is None:
                row = DomainOwnership(domain=domain)
                session.add(row)
            row.owner, row.state, row.held_until = owner, MOVING, 0
            row.phase, row.progress, row.changed_at = "", progress, self._clock()

    def record_progress(self, domain: str, phase: str, progress: dict[str, Any]) -> None:
        """Note how far a move is."""
        self._set(domain, phase=phase, progress=progress)

    def wait_for_open_transactions(self) -> None:
        """Wait until every transaction has ended that writes and began before."""
        # One table after another: whoever writes several of them could otherwise wait for this
        # while this waits for them, until PostgreSQL ends one of the two.
        for table in DOMAINS:
            with self._database.writing() as session:
                # On SQLite one writes after the other, so this transaction is the barrier.
                if session.get_bind().dialect.name == "postgresql":
                    session.execute(text(f"LOCK TABLE {table} IN SHARE MODE"))

    def freeze_writes(self, domain: str, seconds: float) -> None:
        """Let nobody write a domain for so long; returns when those who had begun are through."""
        with self._database.writing() as session:
            row = session.get_one(DomainOwnership, domain, with_for_update=True)
            # From now on: on PostgreSQL this waited for those who had begun.
            row.state, row.held_until = FROZEN, int((time.time() + seconds) * 1000)
            row.changed_at = self._clock()

    def unfreeze_writes(self, domain: str) -> None:
        """Let the owner write again; the domain goes on moving."""
        self._set(domain, state=MOVING, held_until=0)

    def change_owner(
        self, domain: str, owner: str, state: str, phase: str, *, only_while_frozen: bool = True
    ) -> bool:
        """Give a domain another owner; answers whether it has one.

        With `held` only while a hold lasts, so that nobody has written since it began.
        """
        with self._database.writing() as session:
            row = session.get_one(DomainOwnership, domain, with_for_update=True)
            lasts = row.state == FROZEN and time.time() * 1000 < row.held_until
            if only_while_frozen and not lasts:
                return False
            row.owner, row.state, row.held_until = owner, state, 0
            row.phase, row.changed_at = phase, self._clock()
        return True

    def finish_move(self, domain: str) -> None:
        """Mark a move as over."""
        self._set(domain, state=SETTLED, held_until=0, phase="", progress={})

    def uncopied_changes(self, domain: str, limit: int) -> list[tuple[str, str]]:
        """Give events of a domain on the move that nobody has looked at: each id, and of what."""
        query = (
            select(OutboxRow.id, OutboxRow.event)
            .where(OutboxRow.to_copy == domain)
            .order_by(OutboxRow.id)
            .limit(limit)
        )
        with self._database.reading() as session:
            found = session.execute(query).all()
        return [(one, json.loads(event)["subject"]) for one, event in found]

    def mark_copied(self, events: Sequence[str]) -> None:
        """Note that what these events tell of is copied as it is now."""
        with self._database.writing() as session:
            marked = update(OutboxRow).where(OutboxRow.id.in_(events)).values(to_copy=None)
            session.execute(marked.execution_options(synchronize_session=False))

    def discard_changes(self, domain: str) -> None:
        """Note that nobody needs to look at a domain's events any more."""
        with self._database.writing() as session:
            marked = update(OutboxRow).where(OutboxRow.to_copy == domain).values(to_copy=None)
            session.execute(marked.execution_options(synchronize_session=False))

    def _set(self, domain: str, **values: Any) -> None:
        with self._database.writing() as session:
            changed = update(DomainOwnership).where(DomainOwnership.domain == domain)
            session.execute(changed.values(**values, changed_at=self._clock()))
