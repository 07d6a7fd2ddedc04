"""The state of a service's ownership of its domain: whether it may serve, and write, right now.

A running forum can move a domain from the monolith to its service and back. One of the two owns the
domain at any moment. The extraction writes the state of the service's side into its own table:

- `OPEN`      The service owns the domain. This is also the state where no move ever happened,
              unless another component owned the domain at first (`OWNED_ELSEWHERE`).
- `FENCED`    The service owns the domain, and each write checks that in its own transaction.
- `FROZEN`    Write freeze: reads only, until a deadline in case the extraction dies.
- `SEALED`    Write freeze without a deadline: the domain is about to be handed over.
- `CLOSED`    Another component owns the domain.

`OPEN` is cached for `CACHE_TTL` seconds, every other state is read each time. So after writing
`FENCED` and waiting for that time and for the longest request, every write meets its fence.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from chassis.clock import CLOCK_SKEW
from chassis.dynamodb.database import Action, Database, TransactionCanceled
from chassis.dynamodb.tables import Table
from chassis.errors import CutoverInProgress, Unavailable


class State(StrEnum):
    """Ownership state of a service; the module's docstring describes the states.

    The values are the stored ones. Instances of two revisions read them while a deployment is
    rolled out, so they stay as they are.
    """

    OPEN = "open"
    FENCED = "guarded"
    FROZEN = "held"
    SEALED = "sealed"
    CLOSED = "closed"


CACHE_TTL = 1.0  # seconds
FENCES = 8
"""Number of fence items: DynamoDB allows one transaction at a time per item."""
FENCE_LABEL = "ownership-fence"
_STATE_KEY = "gate"


def ownership_table(service: str) -> Table:
    """Define the table of a service's ownership: the state, its fences and change markers.

    Each process reads the state once a second; only a move of the domain writes it.
    """
    return Table(f"{service}-moving", partition="id", ttl_attribute="expires")


@dataclass(frozen=True)
class OwnershipState:
    """A service's ownership; `frozen_until` is in seconds (Unix time), 0 without a freeze.

    `components` are those that make up the forum; empty if no move ever happened.
    """

    state: State = State.OPEN
    frozen_until: float = 0
    components: frozenset[str] = field(default_factory=frozenset)

    def accepts_writes(self, now: float) -> bool:
        """Return whether the service may write; an abandoned freeze expires."""
        return self.state in {State.OPEN, State.FENCED} or (
            self.state == State.FROZEN and now > self.frozen_until + CLOCK_SKEW
        )


class OwnershipStore:
    """A service's ownership state, in the service's own table."""

    def __init__(
        self,
        database: Database,
        service: str,
        now: Callable[[], float] = time.time,
        *,
        initial: State = State.OPEN,
    ) -> None:
        self._db = database
        self._table = ownership_table(service).name
        self._now = now
        self._initial = OwnershipState(initial)
        self._cached: OwnershipState | None = None
        self._cached_at = float("-inf")

    def current(self) -> OwnershipState:
        """Return the state; while it is open, it may be up to `CACHE_TTL` seconds old."""
        cached, at = self._cached, self._cached_at
        if cached and cached.state == State.OPEN and time.monotonic() - at < CACHE_TTL:
            return cached
        at = time.monotonic()
        cached = self.load()
        self._cached, self._cached_at = cached, at
        return cached

    def load(self) -> OwnershipState:
        """Read the state; strongly consistent."""
        item = self._db.get(self._table, {"id": _STATE_KEY})
        if item is None:
            return self._initial
        components = frozenset(item.get("components", ()))
        return OwnershipState(State(item["standing"]), item["held_until"] / 1000, components)

    def save(self, ownership: OwnershipState, *, only_while_frozen: bool = False) -> bool:
        """Write the state and all fences in one transaction; return whether they were written.

        With `only_while_frozen`, write only before the deadline of a freeze.
        """
        item = {
            "standing": ownership.state.value,
            "held_until": int(ownership.frozen_until * 1000),
            "components": sorted(ownership.components),
        }
        condition, values = "", dict[str, str | int]()
        if only_while_frozen:
            condition = "standing = :frozen AND held_until > :now"
            values = {"frozen": State.FROZEN.value, "now": int(self._now() * 1000)}
        actions = [
            self._db.put(self._table, item | {"id": name}, condition, **values)
            for name in (_STATE_KEY, *map(_fence_key, range(FENCES)))
        ]
        try:
            self._db.transact(actions)
        except TransactionCanceled:
            return False
        return True

    def fence(self) -> Action | None:
        """Build the action that cancels a write unless the service may write; None while open."""
        if self.current().state == State.OPEN:
            return None
        return self._db.condition_check(
            self._table,
            {"id": _fence_key(random.randrange(FENCES))},  # noqa: S311
            "standing IN (:open, :fenced) OR (standing = :frozen AND held_until < :over)",
            open=State.OPEN.value,
            fenced=State.FENCED.value,
            frozen=State.FROZEN.value,
            over=int((self._now() - CLOCK_SKEW) * 1000),
        ).labelled(FENCE_LABEL)

    def accepts_writes(self) -> bool:
        """Return whether the service may write right now."""
        return self.current().accepts_writes(self._now())


def require_settled(store: OwnershipStore, domain: str) -> None:
    """Check that a domain's service is its owner, and that no move is in progress.

    Without live extraction, a service does not follow its state. If it served nevertheless while
    another component owns its domain, there would be two owners.

    Raises:
        Unavailable: it is not the owner, or a move is in progress.
    """
    state = store.load().state
    if state == State.OPEN:
        return
    reason = "belongs to the monolith" if state == State.CLOSED else "is being moved"
    msg = f"{domain} {reason}: deploy the stage that it was moved to, or finish the move."
    raise Unavailable(msg)


def cutover_in_progress() -> CutoverInProgress:
    """Build the failure for a request during a cutover."""
    return CutoverInProgress("This content is briefly unavailable while it is being moved.")


def _fence_key(number: int) -> str:
    return f"fence-{number}"
