"""May a service answer for its domain right now? While a domain moves, the answer changes.

A forum that runs can move a domain from the monolith to its service and back. At any moment one of
the two owns it; what the service has to know of that is in its own table, written by whoever moves
the domain:

- `open`      the service owns the domain. So it does where nothing was ever moved.
- `guarded`   it still does, but each write checks in its own transaction that this is so.
- `held`      it may be read, not written, until a time at the latest, lest its holder die.
- `sealed`    the same without an end: the domain is as good as handed over.
- `closed`    somebody else owns the domain.

A standing that is `open` is believed for `BELIEVED` seconds, every other is looked up each time.
So whoever makes it `guarded` and waits for that long, and for as long as a request may take, knows
that from then on every write meets its check.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import BoundedSemaphore

from chassis.clock import format_timestamp
from chassis.dynamodb.database import Action, Database, Item, TransactionCanceled
from chassis.dynamodb.tables import Table
from chassis.errors import CutoverInProgress
from chassis.messaging.outbox import RETENTION

OPEN, FENCED, FROZEN, SEALED, CLOSED = "open", "guarded", "held", "sealed", "closed"
CACHE_TTL = 1.0  # seconds
CLOCK_SKEW = 2.0  # seconds that clocks may differ; a hold counts for so long after its end
MAX_WAIT_SECONDS = 3.0  # seconds that a write waits for the end of a hold before it is refused
POLL_SECONDS = 0.03  # seconds between looks for that end
MAX_WAITERS = 6  # so many threads of a process may wait at a time; the others serve readers
FENCES = 8
"""Only one transaction at a time may touch an item, so the checks of many writes are spread."""
_STATE_KEY, _CHANGED = "gate", "touched-"


def ownership_table(service: str) -> Table:
    """Define the table of a service's standing: one item that is read, and those of the checks.

    It is read once a second by each process, and written while the domain moves. Beside them stands
    for a week which things changed of which no event tells.
    """
    return Table(f"{service}-moving", partition="id", ttl_attribute="expires")


def change_marker(thing: str, now: datetime) -> Item:
    """Make the item of this table which says that something changed that no event tells of."""
    expires = int((now + RETENTION).timestamp())
    return {"id": f"{_CHANGED}{thing}", "touched_at": format_timestamp(now), "expires": expires}


def changed_since(database: Database, name: str, since: datetime) -> list[tuple[str, str]]:
    """Give what is said to have changed since then, in one of these tables: a mark, and of what."""
    found, after = list[tuple[str, str]](), None
    while True:
        items, after = database.scan(name, after)
        recent = (item for item in items if item.get("touched_at", "") >= format_timestamp(since))
        found += [
            (item["id"] + item["touched_at"], item["id"].removeprefix(_CHANGED)) for item in recent
        ]
        if after is None:
            return found


@dataclass(frozen=True)
class OwnershipState:
    """What a service may do: `held_until` is in seconds (Unix time), 0 without a hold.

    `components` are those that the forum consists of by now; empty where nothing was ever moved.
    """

    state: str = OPEN
    frozen_until: float = 0
    components: frozenset[str] = field(default_factory=frozenset)

    def accepts_writes(self, now: float) -> bool:
        """Tell whether the service may write: a hold that nobody ended ends by itself."""
        return self.state in {OPEN, FENCED} or (
            self.state == FROZEN and now > self.frozen_until + CLOCK_SKEW
        )


class OwnershipStore:
    """A service's standing, in its own table."""

    def __init__(
        self,
        database: Database,
        service: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._db = database
        self._table = ownership_table(service).name
        self._now = now
        self._seen: OwnershipState | None = None
        self._seen_at = float("-inf")

    def current(self) -> OwnershipState:
        """Tell the standing: as of now, or of at most `BELIEVED` seconds ago while it is open."""
        seen, at = self._seen, self._seen_at
        if seen is not None and seen.state == OPEN and time.monotonic() - at < CACHE_TTL:
            return seen
        at = time.monotonic()
        seen = self.load()
        self._seen, self._seen_at = seen, at
        return seen

    def load(self) -> OwnershipState:
        """Read the standing; strongly consistent."""
        item = self._db.get(self._table, {"id": _STATE_KEY})
        if item is None:
            return OwnershipState()
        components = frozenset(item.get("components", ()))
        return OwnershipState(item["standing"], item["held_until"] / 1000, components)

    def save(self, standing: OwnershipState, *, unless_over: bool = False) -> bool:
        """Write the standing, and the same into each check, in one transaction.

        With `unless_over` only while a hold lasts; answers whether it was written.
        """
        item = {
            "standing": standing.state,
            "held_until": int(standing.frozen_until * 1000),
            "components": sorted(standing.components),
        }
        condition, values = "", dict[str, str | int]()
        if unless_over:
            condition = "standing = :held AND held_until > :now"
            values = {"held": FROZEN, "now": int(self._now() * 1000)}
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
        """Make the action that refuses a write unless the service may; None while that is sure."""
        if self.current().state == OPEN:
            return None
        return self._db.condition_check(
            self._table,
            {"id": _fence_key(random.randrange(FENCES))},  # noqa: S311
            "standing IN (:open, :guarded) OR (standing = :held AND held_until < :over)",
            open=OPEN,
            guarded=FENCED,
            held=FROZEN,
            over=int((self._now() - CLOCK_SKEW) * 1000),
        )

    def accepts_writes(self) -> bool:
        """Tell whether the service may write right now."""
        return self.current().accepts_writes(self._now())


class FencedDatabase(Database):
    """The service's tables for writes of its own domain: each is checked while the domain moves."""

    def __init__(self, database: Database, standings: OwnershipStore) -> None:
        super().__init__(database._client, database._prefix)
        self._standings = standings

    def transact(self, actions: Sequence[Action]) -> None:
        """Apply all actions or none, and none unless the service may write.

        Raises:
            NotApplied: a condition did not hold.
            Moving: the service may not write right now.
            Unavailable: the items stayed busy.
        """
        check = self._standings.fence()
        if check is None:
            super().transact(actions)
            return
        try:
            super().transact([*actions, check])
        except TransactionCanceled as refusal:
            if refusal.failed(len(actions)):
                raise cutover_in_progress() from refusal
            raise TransactionCanceled(refusal.reasons[:-1]) from refusal


def cutover_in_progress() -> CutoverInProgress:
    """Say that a domain is on the move."""
    return CutoverInProgress("This part of the forum is being moved; try again in a moment.")


class BoundedWait:
    """Lets a few requests wait for the end of a hold, so that nobody notices it."""

    def __init__(self, seconds: float = MAX_WAIT_SECONDS, most: int = MAX_WAITERS) -> None:
        self._seconds = seconds
        self._room = BoundedSemaphore(most)

    def until(self, over: Callable[[], bool]) -> bool:
        """Wait until something is over; False at once where too many wait, or after too long."""
        end = time.monotonic() + self._seconds
        if not self._room.acquire(blocking=False):
            return False
        try:
            while not over():
                if time.monotonic() > end:
                    return False
                time.sleep(POLL_SECONDS)
        finally:
            self._room.release()
        return True


def _fence_key(number: int) -> str:
    return f"fence-{number}"
