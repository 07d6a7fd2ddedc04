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

from chassis.clock import stamp
from chassis.dynamodb.database import Action, Database, Item, NotApplied
from chassis.dynamodb.tables import Table
from chassis.errors import Moving
from chassis.messaging.outbox import KEPT_FOR

OPEN, GUARDED, HELD, SEALED, CLOSED = "open", "guarded", "held", "sealed", "closed"
BELIEVED = 1.0  # seconds
SKEW = 2.0  # seconds that clocks may differ; a hold counts for so long after its end
PATIENCE = 3.0  # seconds that a write waits for the end of a hold before it is refused
LOOK = 0.03  # seconds between looks for that end
WAITING = 6  # so many threads of a process may wait at a time; the others serve readers
FENCES = 8
"""Only one transaction at a time may touch an item, so the checks of many writes are spread."""
_GATE, _TOUCHED = "gate", "touched-"


def table(service: str) -> Table:
    """Define the table of a service's standing: one item that is read, and those of the checks.

    It is read once a second by each process, and written while the domain moves. Beside them stands
    for a week which things changed of which no event tells.
    """
    return Table(f"{service}-moving", partition="id", expires="expires")


def touched(thing: str, now: datetime) -> Item:
    """Make the item of this table which says that something changed that no event tells of."""
    expires = int((now + KEPT_FOR).timestamp())
    return {"id": f"{_TOUCHED}{thing}", "touched_at": stamp(now), "expires": expires}


def touched_since(database: Database, name: str, since: datetime) -> list[tuple[str, str]]:
    """Give what is said to have changed since then, in one of these tables: a mark, and of what."""
    found, after = list[tuple[str, str]](), None
    while True:
        items, after = database.scan(name, after)
        recent = (item for item in items if item.get("touched_at", "") >= stamp(since))
        found += [
            (item["id"] + item["touched_at"], item["id"].removeprefix(_TOUCHED)) for item in recent
        ]
        if after is None:
            return found


@dataclass(frozen=True)
class Standing:
    """What a service may do: `held_until` is in seconds (Unix time), 0 without a hold.

    `components` are those that the forum consists of by now; empty where nothing was ever moved.
    """

    state: str = OPEN
    held_until: float = 0
    components: frozenset[str] = field(default_factory=frozenset)

    def takes_writes(self, now: float) -> bool:
        """Tell whether the service may write: a hold that nobody ended ends by itself."""
        return self.state in {OPEN, GUARDED} or (
            self.state == HELD and now > self.held_until + SKEW
        )


class Standings:
    """A service's standing, in its own table."""

    def __init__(
        self,
        database: Database,
        service: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._db = database
        self._table = table(service).name
        self._now = now
        self._seen: Standing | None = None
        self._seen_at = float("-inf")

    def look(self) -> Standing:
        """Tell the standing: as of now, or of at most `BELIEVED` seconds ago while it is open."""
        seen, at = self._seen, self._seen_at
        if seen is not None and seen.state == OPEN and time.monotonic() - at < BELIEVED:
            return seen
        at = time.monotonic()
        seen = self.read()
        self._seen, self._seen_at = seen, at
        return seen

    def read(self) -> Standing:
        """Read the standing; strongly consistent."""
        item = self._db.get(self._table, {"id": _GATE})
        if item is None:
            return Standing()
        components = frozenset(item.get("components", ()))
        return Standing(item["standing"], item["held_until"] / 1000, components)

    def write(self, standing: Standing, *, unless_over: bool = False) -> bool:
        """Write the standing, and the same into each check, in one transaction.

        With `unless_over` only while a hold lasts; answers whether it was written.
        """
        item = {
            "standing": standing.state,
            "held_until": int(standing.held_until * 1000),
            "components": sorted(standing.components),
        }
        condition, values = "", dict[str, str | int]()
        if unless_over:
            condition = "standing = :held AND held_until > :now"
            values = {"held": HELD, "now": int(self._now() * 1000)}
        actions = [
            self._db.put(self._table, item | {"id": name}, condition, **values)
            for name in (_GATE, *map(_fence, range(FENCES)))
        ]
        try:
            self._db.transact(actions)
        except NotApplied:
            return False
        return True

    def check(self) -> Action | None:
        """Make the action that refuses a write unless the service may; None while that is sure."""
        if self.look().state == OPEN:
            return None
        return self._db.holds(
            self._table,
            {"id": _fence(random.randrange(FENCES))},  # noqa: S311
            "standing IN (:open, :guarded) OR (standing = :held AND held_until < :over)",
            open=OPEN,
            guarded=GUARDED,
            held=HELD,
            over=int((self._now() - SKEW) * 1000),
        )

    def takes_writes(self) -> bool:
        """Tell whether the service may write right now."""
        return self.look().takes_writes(self._now())


class GuardedDatabase(Database):
    """The service's tables for writes of its own domain: each is checked while the domain moves."""

    def __init__(self, database: Database, standings: Standings) -> None:
        super().__init__(database._client, database._prefix)
        self._standings = standings

    def transact(self, actions: Sequence[Action]) -> None:
        """Apply all actions or none, and none unless the service may write.

        Raises:
            NotApplied: a condition did not hold.
            Moving: the service may not write right now.
            Unavailable: the items stayed busy.
        """
        check = self._standings.check()
        if check is None:
            super().transact(actions)
            return
        try:
            super().transact([*actions, check])
        except NotApplied as refusal:
            if refusal.failed(len(actions)):
                raise moving() from refusal
            raise NotApplied(refusal.reasons[:-1]) from refusal


def moving() -> Moving:
    """Say that a domain is on the move."""
    return Moving("This part of the forum is being moved; try again in a moment.")


class Patience:
    """Lets a few requests wait for the end of a hold, so that nobody notices it."""

    def __init__(self, seconds: float = PATIENCE, most: int = WAITING) -> None:
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
                time.sleep(LOOK)
        finally:
            self._room.release()
        return True


def _fence(number: int) -> str:
    return f"fence-{number}"
