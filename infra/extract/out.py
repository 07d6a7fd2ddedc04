"""The way out: a domain leaves the monolith for its service.

Until the switch nothing changes for anybody; each phase can be repeated. The decision is one
transaction in the forum's database, and possible only while a hold lasts.
"""

import time
from functools import partial

from chassis.moving import CLOSED, OPEN, Standing
from forum.stage import UNDER_WAY
from infra.extract.copier import Copier, Ledger
from infra.extract.ends import Keep, Rows
from infra.extract.mover import (
    KNOWN_SECONDS,
    LEASE_SECONDS,
    MARGIN,
    Move,
    StoppedError,
    began,
)

CHANGES = 500
"""So many events are looked at in one go."""


class Out:
    """The phases of an extraction."""

    def __init__(self, move: Move) -> None:
        self._move = move
        self._domain = move.domain
        self._ends = move.place.ends
        self._moves = self._ends.moves
        self._standings = self._ends.standings(self._domain)
        self._copier = Copier(self._ends.rows[self._domain], self._ends.copies[self._domain])

    def prepare(self) -> None:
        """Bring up the service, empty and without any route to it, and begin to note changes."""
        move = self._move
        move.place.prepare(self._domain)
        self._standings.write(Standing(CLOSED))
        if not move.progress.get("emptied"):
            if count := self._ends.empty(self._domain):
                move.console.say(f"{count} items of an earlier stay are removed.")
            move.progress |= {"direction": move.direction, "emptied": True, "began": began()}
            self._moves.begin(self._domain, "monolith", move.progress)
        move.wait_until_known(KNOWN_SECONDS)
        self._moves.barrier(self._domain)
        move.replay()
        move.note("backfill")

    def backfill(self) -> None:
        """Copy the rows, and those of others of which the service keeps something."""
        move, rows = self._move, self._ends.rows
        total = rows[self._domain].totals()[0]
        move.in_pages(
            self._domain, total, lambda after: self._copier.copy(after, move.console.advance)
        )
        for other, keep in self._ends.besides(self._domain).items():
            page = partial(self._beside, rows[other], keep)
            move.in_pages(f"{other}, for its copies", rows[other].totals()[0], page)
        for records in rows[self._domain].beside(None):
            self._ends.copies[self._domain].put_beside(records)
        move.note("catch-up")

    def catch_up(self) -> None:
        """Copy what has changed meanwhile, until little is left."""
        if self._domain != "users":
            # It learns of others' changes. Users' worker has nothing to do before the switch.
            self._move.place.work(self._domain)
        count = self._follow(None)
        self._move.console.say(f"{count} changes caught up with.")
        self._move.note("verify")

    def verify(self) -> None:
        """Compare everything by hash, then what changed meanwhile."""
        move = self._move
        total = self._ends.rows[self._domain].totals()[0]
        move.ledger = move.verify(self._copier, total)
        self._follow(move.ledger)
        move.report(move.ledger)
        move.note("switch")

    def switch(self) -> None:
        """Hold the domain's writes for a moment, prove that nothing is missing, and decide."""
        move = self._move
        if move.ledger is None:
            self.verify()
        ledger = move.ledger
        if ledger is None or move.verified_from is None:
            raise AssertionError
        move.place.work(self._domain)
        self._follow(ledger)
        since = move.verified_from - MARGIN
        for records in self._ends.rows[self._domain].beside(since):
            self._ends.copies[self._domain].put_beside(records)
        began_at = time.monotonic()
        self._moves.hold(self._domain, LEASE_SECONDS)
        decided = False
        try:
            self._prove(ledger)
            components = frozenset({"monolith", *move.place.extracted, self._domain})
            self._standings.write(Standing(OPEN, components=components))
            decided = self._moves.hand_over(self._domain, self._domain, UNDER_WAY, "watch")
        finally:
            if not decided:
                self._standings.write(Standing(CLOSED))
                self._moves.release(self._domain)
        if not decided:
            msg = "The hold ran out before the decision, and the monolith goes on. Run this again."
            raise StoppedError(msg)
        seconds = time.monotonic() - began_at
        move.console.say(f"{self._domain} is the service's; writes were held for {seconds:.2f} s.")
        self.route()

    def route(self) -> None:
        """Send requests to the new owner; until then the monolith sends them on."""
        extracted = self._move.place.extracted | {self._domain}
        self._move.place.route(extracted)
        self._move.tell_components(extracted)

    def watch(self) -> None:
        """Look for a while whether the service answers, then end the move."""
        move = self._move
        if self._domain not in move.place.extracted:
            self.route()
        move.place.work(self._domain)
        deadline = time.monotonic() + move.watch_seconds
        while True:
            owner = move.place.served_by(frozenset({self._domain}))[self._domain]
            if owner != self._domain:
                msg = f"{self._domain} is answered by {owner}; look at the service's log."
                raise StoppedError(msg)
            if time.monotonic() > deadline:
                break
            time.sleep(0.25)
        self._moves.forget_changes(self._domain)
        self._moves.settle(self._domain)
        move.place.keep(self._domain)
        move.console.say(f"{self._domain} is answered by its service. The move is over.")

    def cancel(self) -> None:
        """Give up before the switch: the service stops, the monolith never noticed."""
        self._standings.write(Standing(CLOSED))
        self._moves.settle(self._domain)
        self._moves.forget_changes(self._domain)
        self._move.place.clear(self._domain)
        self._move.console.say(f"The extraction of {self._domain} is given up.")

    def _beside(self, source: Rows, keep: Keep, after: str) -> str | None:
        records, following = source.page(after, CHANGES)
        keep(records)
        self._move.console.advance(len(records))
        return following

    def _prove(self, ledger: Ledger) -> None:
        """Prove, while nobody writes, that the service knows what the monolith does."""
        move = self._move
        self._follow(ledger)
        move.report(ledger)
        held = self._ends.rows[self._domain].totals()
        if held != ledger.totals:
            msg = f"The monolith counts {held} (number, sum of versions), the copy {ledger.totals}."
            raise StoppedError(msg)
        if move.verified_from is None:
            raise AssertionError
        for records in self._ends.rows[self._domain].beside(move.verified_from - MARGIN):
            self._ends.copies[self._domain].put_beside(records)

    def _follow(self, ledger: Ledger | None) -> int:
        """Copy what events tell of that nobody has looked at; answers how many there were."""
        count = 0
        while events := self._moves.changed(self._domain, CHANGES):
            self._copier.bring_up(list(dict.fromkeys(thing for _, thing in events)), ledger)
            self._moves.looked_at([one for one, _ in events])
            count += len(events)
        return count
