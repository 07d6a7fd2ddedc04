"""Which domains are the forum's own right now; a domain may move while people write.

At any moment one component owns a domain: the forum, with its rows, or the service. Where domains
were moved, the table `domains` says so; else the setting EXTRACTED does. Whoever moves one writes
its row: `moving` first, then `held` for a moment, in which nobody may write, and a new owner.

While nothing moves, what was seen counts for `BELIEVED` seconds; while something does, each request
looks. So whoever marks a domain as moving and waits for that long knows that from then on every
write of it is checked in its own transaction, which locks the row against the next step.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import JSON, BigInteger, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from chassis.errors import CutoverInProgress
from chassis.ownership.state import CACHE_TTL, CLOCK_SKEW, BoundedWait, cutover_in_progress
from forum.database import Base, Database, UtcDateTime

DOMAINS = ("users", "threads", "posts")
MONOLITH = "monolith"
SETTLED, MOVING, FROZEN = "settled", "moving", "held"
ANSWER = TypeVar("ANSWER")


class DomainOwnership(Base):
    """A domain that was moved, or is moving: whose it is, and how far the move has come."""

    __tablename__ = "domains"

    domain: Mapped[str] = mapped_column(String(16), primary_key=True)
    owner: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    held_until: Mapped[int] = mapped_column(BigInteger, default=0)
    """In milliseconds (Unix time); 0 for a hold without an end."""

    phase: Mapped[str] = mapped_column(String(16), default="")
    progress: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Ownership:
    """Where one domain stands."""

    owner: str
    state: str = SETTLED
    frozen_until: int = 0

    @property
    def is_own(self) -> bool:
        """Tell whether the forum keeps the domain itself."""
        return self.owner == MONOLITH

    def accepts_writes(self, now: float) -> bool:
        """Tell whether the owner may write: a hold that nobody ended ends by itself."""
        if self.state != FROZEN:
            return True
        return bool(self.frozen_until) and now * 1000 > self.frozen_until + CLOCK_SKEW * 1000


@dataclass(frozen=True)
class OwnershipSnapshot:
    """Where all domains stand, as of one moment."""

    domains: Mapping[str, Ownership]

    @property
    def extracted(self) -> frozenset[str]:
        """Name the domains that services keep."""
        return frozenset(name for name, known in self.domains.items() if not known.is_own)

    @property
    def moving(self) -> frozenset[str]:
        """Name the domains that are on the move."""
        return frozenset(n for n, known in self.domains.items() if known.state != SETTLED)

    @property
    def publishes_events(self) -> bool:
        """Tell whether there is anybody to tell what happens here."""
        return bool(self.extracted or self.moving)


@dataclass
class _PinnedSnapshot:
    """What one request has seen; nothing at first."""

    stage: OwnershipSnapshot | None = None


_pinned: ContextVar[_PinnedSnapshot | None] = ContextVar("stage", default=None)


class OwnershipRegistry:
    """Knows the stage, as the database has it."""

    def __init__(
        self, database: Database, extracted: frozenset[str], *, live_extraction: bool
    ) -> None:
        self._database = database
        self._movable = live_extraction
        self._begun = {name: Ownership(name if name in extracted else MONOLITH) for name in DOMAINS}
        self._seen: OwnershipSnapshot | None = (
            None if live_extraction else OwnershipSnapshot(self._begun)
        )
        self._seen_at = float("-inf")
        self._patience = BoundedWait()

    def snapshot(self) -> OwnershipSnapshot:
        """Tell the stage: as this request has first seen it, else as `look` does."""
        pin = _pinned.get()
        if pin is None:
            return self.current()
        if pin.stage is None:
            pin.stage = self.current()
        return pin.stage

    def current(self) -> OwnershipSnapshot:
        """Tell the stage as of at most `BELIEVED` seconds ago, and of now while something moves."""
        seen = self._seen
        if seen is not None and (
            not self._movable or (not seen.moving and time.monotonic() - self._seen_at < CACHE_TTL)
        ):
            return seen
        at = time.monotonic()
        with self._database.reading() as session:
            rows = session.execute(
                select(
                    DomainOwnership.domain,
                    DomainOwnership.owner,
                    DomainOwnership.state,
                    DomainOwnership.held_until,
                )
            ).all()
        moved = {name: Ownership(owner, state, until) for name, owner, state, until in rows}
        seen = OwnershipSnapshot(self._begun | moved)
        self._seen, self._seen_at = seen, at
        return seen

    def pin_snapshot(self) -> None:
        """Let the rest of a request see one stage, so that its parts fit together."""
        _pinned.set(_PinnedSnapshot())

    def unpin_snapshot(self) -> None:
        """Let the next request look anew."""
        _pinned.set(None)

    def fence_write(self, session: Session, domain: str) -> bool:
        """Let a transaction write a domain of the forum's own; answers whether that moves.

        The domain's row is locked until the end of the transaction, so that whoever holds the
        domain next knows that it is through.

        Raises:
            Moving: the domain is held, or somebody else's by now.
        """
        if domain not in self.current().moving:
            return False
        query = (
            select(DomainOwnership)
            .where(DomainOwnership.domain == domain)
            .with_for_update(read=True)
        )
        row = session.scalars(query.execution_options(populate_existing=True)).one()
        known = Ownership(row.owner, row.state, row.held_until)
        if not known.is_own or not known.accepts_writes(time.time()):
            raise cutover_in_progress()
        return row.state != SETTLED

    def retry_after_cutover(self, domain: str, ask: Callable[[], ANSWER]) -> ANSWER:
        """Ask once more when a move has ended that kept a question from being answered."""
        try:
            return ask()
        except CutoverInProgress:
            if not self.wait_until_writable(domain):
                raise
        return ask()

    def wait_until_writable(self, domain: str) -> bool:
        """Wait until a domain takes writes again, whoever's it is; False if that takes long."""
        over = self._patience.until(
            lambda: self.current().domains[domain].accepts_writes(time.time())
        )
        if pin := _pinned.get():
            pin.stage = None
        return over


class Chosen:
    """One of two with the same methods: the forum's own, or what asks a domain's service."""

    def __init__(
        self, stages: OwnershipRegistry, domain: str, own: object, elsewhere: object
    ) -> None:
        self._stages, self._domain = stages, domain
        self._own, self._elsewhere = own, elsewhere

    def __getattr__(self, name: str) -> Any:
        return getattr(self._one(), name)

    def _one(self) -> object:
        own = self._stages.snapshot().domains[self._domain].is_own
        return self._own if own else self._elsewhere


class Switched(Chosen):
    """The same, patiently: a call that meets a hold waits for its end and is made again.

    Whoever raises Moving has done nothing.
    """

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            return self._stages.retry_after_cutover(
                self._domain, lambda: getattr(self._one(), name)(*args, **options)
            )

        return call


class Extracted(Mapping[str, ANSWER]):
    """What belongs to the domains that services keep right now, by domain."""

    def __init__(self, stages: OwnershipRegistry, of_each: Mapping[str, ANSWER]) -> None:
        self._stages, self._of_each = stages, of_each

    def __getitem__(self, domain: str) -> ANSWER:
        if domain not in self._stages.snapshot().extracted:
            raise KeyError(domain)
        return self._of_each[domain]

    def __iter__(self) -> Iterator[str]:
        extracted = self._stages.snapshot().extracted
        return (domain for domain in self._of_each if domain in extracted)

    def __len__(self) -> int:
        return len(self._stages.snapshot().extracted)
