"""The way out: a domain leaves the monolith for its service.

Until the switch nothing changes for anybody; each phase can be repeated. The decision is one
transaction in the forum's database, and possible only while a hold lasts.
"""

import time
from functools import partial

from chassis.ownership.state import CLOSED, OPEN, Standing
from extraction.copier import Copier, Ledger
from extraction.endpoints import Keep, Rows
from extraction.extraction import KNOWN_SECONDS, LEASE_SECONDS, TRIES, Move, StoppedError, began
from forum.ownership.state import UNDER_WAY

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
        move.progress.pop("leaving", None)
        move.place.prepare(self._domain)
        self._standings.write(Standing(CLOSED))
        if not move.progress.get("emptied"):
            if count := self._ends.empty(self._domain):
                move.console.say(f"{count} items of an earlier stay are removed.")
            move.progress |= {"direction": move.direction, "emptied": True, "began": began()}
            self._moves.begin(self._domain, "monolith", move.progress)
        move.wait_until_known(KNOWN_SECONDS)
        self._moves.barrier()
        move.replay()

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
        move.copy_beside(rows[self._domain], self._ends.copies[self._domain])

    def catch_up(self) -> None:
        """Copy what has changed meanwhile, until little is left."""
        if self._domain != "users":
            # It learns of others' changes. Users' worker has nothing to do before the switch.
            self._move.place.work(self._domain)
        count = self._follow(None)
        self._move.console.say(f"{count} changes caught up with.")

    def verify(self) -> None:
        """Compare everything by hash, then what changed meanwhile."""
        move = self._move
        total = self._ends.rows[self._domain].totals()[0]
        move.ledger = move.verify(self._copier, total)
        self._follow(move.ledger)
        move.report(move.ledger)

    def switch(self) -> None:
        """Hold the domain's writes for a moment, prove that nothing is missing, and decide."""
        move = self._move
        if move.ledger is None:
            self.verify()
        ledger = move.ledger
        if ledger is None:
            raise AssertionError
        move.place.work(self._domain)
        for _ in range(TRIES):
            move.copy_beside(self._ends.rows[self._domain], self._ends.copies[self._domain])
            self._follow(ledger)
            seconds = self._decide(ledger)
            if seconds:
                move.console.say(
                    f"{self._domain} is the service's; writes were held for {seconds:.2f} s."
                )
                self.route()
                return
            move.console.say("The hold ran out before the decision; the monolith goes on.")
        msg = "This machine is too busy for a short hold right now. Run this again."
        raise StoppedError(msg)

    def _decide(self, ledger: Ledger) -> float:
        """Change the owner within one hold; answers its seconds, 0 if it ran out."""
        components = frozenset({"monolith", *self._move.place.extracted, self._domain})
        began_at = time.monotonic()
        self._moves.hold(self._domain, LEASE_SECONDS)
        try:
            self._prove(ledger)
            self._standings.write(Standing(OPEN, components=components))
            self._moves.hand_over(self._domain, self._domain, UNDER_WAY, "watch")
        finally:
            # Asked anew: an answer can be lost although the decision was made.
            decided = self._moves.all()[self._domain].owner == self._domain
            if not decided:
                self._standings.write(Standing(CLOSED))
                self._moves.release(self._domain)
        return time.monotonic() - began_at if decided else 0

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
        if self._standings.read().state != OPEN:
            components = frozenset({"monolith", *move.place.extracted})
            self._standings.write(Standing(OPEN, components=components))
        move.place.work(self._domain)
        move.watch(self._domain, "service")
        move.place.keep(self._domain)
        self._moves.forget_changes(self._domain)
        self._moves.settle(self._domain)
        move.console.say(f"{self._domain} is answered by its service. The move is over.")

    def cancel(self) -> None:
        """Give up before the switch: the service stops, the monolith never noticed."""
        if not self._move.leaving:
            self._standings.write(Standing(CLOSED))
            self._moves.forget_changes(self._domain)
        self._move.leave()
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
        move.copy_beside(self._ends.rows[self._domain], self._ends.copies[self._domain])

    def _follow(self, ledger: Ledger | None) -> int:
        """Copy what events tell of that nobody has looked at; answers how many there were."""
        count = 0
        while events := self._moves.changed(self._domain, CHANGES):
            self._copier.bring_up(list(dict.fromkeys(thing for _, thing in events)), ledger)
            self._moves.looked_at([one for one, _ in events])
            count += len(events)
        return count
