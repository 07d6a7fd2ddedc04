"""The current ownership of domains. A domain may move at any time.

One component owns a domain at any moment: the forum, with its rows, or the service. The setting
EXTRACTED defines it, or the table `domains` once domains have moved. An extraction writes a
domain's row: first `MOVING`, then `FROZEN` for a short write freeze, then a new owner.

While no domain moves, the table is cached for `CACHE_TTL` seconds; during a move, each request
reads it. So after a domain is marked as moving and this time has passed, every write is checked in
its own transaction, which locks the row against the next step.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import JSON, BigInteger, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from chassis.clock import CLOCK_SKEW
from chassis.errors import CutoverInProgress, Unavailable
from chassis.ownership.bounded_wait import BoundedWait
from chassis.ownership.state import CACHE_TTL, cutover_in_progress
from forum.database import Base, Database, UtcDateTime

MONOLITH = "monolith"
# The stored values: instances of two revisions read them during a rolling deployment.
SETTLED, MOVING, FROZEN = "settled", "moving", "held"
RESULT = TypeVar("RESULT")


class DomainOwnership(Base):
    """A domain that has moved or is moving: its owner, and the progress of the move."""

    __tablename__ = "domains"

    domain: Mapped[str] = mapped_column(String(16), primary_key=True)
    owner: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    frozen_until: Mapped[int] = mapped_column("held_until", BigInteger)
    """In milliseconds (Unix time); 0 for a write freeze without a deadline."""

    phase: Mapped[str] = mapped_column(String(16))
    progress: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Ownership:
    """The ownership of one domain; `frozen_until` is in milliseconds (Unix time)."""

    owner: str
    state: str = SETTLED
    frozen_until: int = 0

    @property
    def is_own(self) -> bool:
        """Return whether the forum itself owns the domain."""
        return self.owner == MONOLITH

    def accepts_writes(self, now: float) -> bool:
        """Return whether the owner may write; an abandoned freeze expires."""
        if self.state != FROZEN:
            return True
        return bool(self.frozen_until) and now * 1000 > self.frozen_until + CLOCK_SKEW * 1000


@dataclass(frozen=True)
class OwnershipSnapshot:
    """The ownership of all domains, as of one moment."""

    domains: Mapping[str, Ownership]

    @property
    def extracted(self) -> frozenset[str]:
        """The domains that services own."""
        return frozenset(name for name, known in self.domains.items() if not known.is_own)

    @property
    def moving(self) -> frozenset[str]:
        """The domains that are moving."""
        return frozenset(n for n, known in self.domains.items() if known.state != SETTLED)

    @property
    def publishes_events(self) -> bool:
        """Return whether another component consumes the forum's events."""
        return bool(self.extracted or self.moving)


@dataclass
class _PinnedSnapshot:
    """The snapshot of one request; None before its first use."""

    snapshot: OwnershipSnapshot | None = None


_pinned: ContextVar[_PinnedSnapshot | None] = ContextVar("ownership", default=None)


class OwnershipRegistry:
    """The ownership of domains, according to the database."""

    def __init__(
        self,
        database: Database,
        domains: Iterable[str],
        extracted: frozenset[str],
        *,
        live_extraction: bool,
    ) -> None:
        """Create a registry; `extracted` is the initial stage, constant without live extraction."""
        self._database = database
        self._live_extraction = live_extraction
        self._initial = {
            name: Ownership(name if name in extracted else MONOLITH) for name in domains
        }
        self._cached = None if live_extraction else OwnershipSnapshot(self._initial)
        self._cached_at = float("-inf")
        self._freeze = BoundedWait()

    def snapshot(self) -> OwnershipSnapshot:
        """Return the request's pinned snapshot; outside of a request, the result of `current`."""
        pinned = _pinned.get()
        if pinned is None:
            return self.current()
        if pinned.snapshot is None:
            pinned.snapshot = self.current()
        return pinned.snapshot

    def current(self) -> OwnershipSnapshot:
        """Return the ownership, at most `CACHE_TTL` seconds old; during a move, read it again."""
        cached = self._cached
        if cached is not None and (
            not self._live_extraction
            or (not cached.moving and time.monotonic() - self._cached_at < CACHE_TTL)
        ):
            return cached
        at = time.monotonic()
        with self._database.reading() as session:
            rows = session.execute(
                select(
                    DomainOwnership.domain,
                    DomainOwnership.owner,
                    DomainOwnership.state,
                    DomainOwnership.frozen_until,
                )
            ).all()
        moved = {name: Ownership(owner, state, until) for name, owner, state, until in rows}
        cached = OwnershipSnapshot(self._initial | moved)
        self._cached, self._cached_at = cached, at
        return cached

    def require_settled(self) -> None:
        """Check that each domain's owner is that of EXTRACTED, unless owners may change.

        Without live extraction, the forum does not follow the table. If it served nevertheless
        while a domain has another owner, there would be two.

        Raises:
            Unavailable: a domain has another owner, or is being moved.
        """
        if self._live_extraction:
            return
        with self._database.reading() as session:
            rows = session.execute(
                select(DomainOwnership.domain, DomainOwnership.owner, DomainOwnership.state)
            ).all()
        for domain, owner, state in rows:
            if state != SETTLED:
                reason = "is being moved"
            elif owner != self._initial[domain].owner:
                reason = f"has been moved to {owner}"
            else:
                continue
            msg = f"{domain} {reason}: deploy the stage that it was moved to, or finish the move."
            raise Unavailable(msg)

    def pin_snapshot(self) -> None:
        """Pin one snapshot for the rest of a request, so that it is consistent."""
        _pinned.set(_PinnedSnapshot())

    def unpin_snapshot(self) -> None:
        """Drop the pinned snapshot."""
        _pinned.set(None)

    def fence_write(self, session: Session, domain: str) -> bool:
        """Check that a transaction may write an own domain; return whether the domain is moving.

        The domain's row is locked until the end of the transaction, so that the next step of a move
        waits for the transaction.

        Raises:
            CutoverInProgress: writes are frozen, or another component owns the domain.
        """
        if domain not in self.current().moving:
            return False
        query = (
            select(DomainOwnership.owner, DomainOwnership.state, DomainOwnership.frozen_until)
            .where(DomainOwnership.domain == domain)
            .with_for_update(read=True)
        )
        known = Ownership(*session.execute(query).one())
        if not known.is_own or not known.accepts_writes(time.time()):
            raise cutover_in_progress()
        return known.state != SETTLED

    def retry_after_cutover(self, domain: str, operation: Callable[[], RESULT]) -> RESULT:
        """Call an operation; if it fails in a write freeze, call it again after its end."""
        try:
            return operation()
        except CutoverInProgress:
            if not self.wait_until_writable(domain):
                raise
        return operation()

    def wait_until_writable(self, domain: str) -> bool:
        """Wait until the domain's owner accepts writes again; return False after a timeout."""
        over = self._freeze.until(
            lambda: self.current().domains[domain].accepts_writes(time.time())
        )
        if pinned := _pinned.get():
            pinned.snapshot = None
        return over
