"""The way back: a domain returns from its service to the monolith, with all that was written since.

The monolith's rows were kept by the service's events all along; what events do not tell, such as
passwords, is copied now.
"""

import time

from chassis.clock import utc_now
from chassis.ownership.records import in_portions
from chassis.ownership.state import CLOSED, GUARDED, HELD, OPEN, SEALED, Standing
from extraction.copier import Copier, Ledger
from extraction.extraction import (
    LEASE_SECONDS,
    MARGIN,
    THROUGH_SECONDS,
    TRIES,
    Move,
    StoppedError,
    began,
)
from forum.ownership.state import HELD as HELD_ROW

IN_FLIGHT = 0.2  # seconds that a read may still take which the gateway sent before
ROUNDS = 5
PUBLISHED = 60  # seconds until the service's last events are out


class Back:
    """The phases of a return."""

    def __init__(self, move: Move) -> None:
        self._move = move
        self._domain = move.domain
        self._ends = move.place.ends
        self._moves = self._ends.moves
        self._standings = self._ends.standings(self._domain)
        self._since = utc_now() - MARGIN
        self._seen = set[str]()
        self._copier = Copier(
            self._ends.copies[self._domain],
            self._ends.rows[self._domain],
            target_learns=True,
            # Of a thread that came and went before it was told of, nothing is left to know.
            may_lack=lambda record: self._domain == "threads" and record["deleted"],
            changed=lambda: {one for _, one in self._ends.changes(self._domain, self._since)},
        )

    def prepare(self) -> None:
        """Have every write of the service checked from now on."""
        move = self._move
        if self._standings.read().state == OPEN:
            self._stand(GUARDED)
        move.place.prepare(self._domain)
        if "began" not in move.progress:
            move.progress |= {"direction": move.direction, "began": began()}
            self._moves.begin(self._domain, self._domain, move.progress)

    def backfill(self) -> None:
        """Copy what the monolith's rows lack."""
        move = self._move
        move.progress.setdefault("changed_from", began())
        total = self._ends.rows[self._domain].totals()[0]
        move.in_pages(
            self._domain,
            total,
            lambda after: self._copier.copy_differing(after, move.console.advance),
        )
        move.copy_beside(self._ends.copies[self._domain], self._ends.rows[self._domain])

    def catch_up(self) -> None:
        """Copy what has changed since, ahead of the events that tell of it."""
        move = self._move
        self._since = move.backfilled_from() - MARGIN
        count = self._follow()
        move.wait_until_known(THROUGH_SECONDS)
        move.console.say(f"{count} changes caught up with.")

    def verify(self) -> None:
        """Compare everything by hash."""
        move = self._move
        total = self._ends.rows[self._domain].totals()[0]
        # By events the monolith knows what changed meanwhile, but for what they do not tell, such
        # as passwords; that is not to be taken for a difference.
        self._since = move.backfilled_from() - MARGIN
        self._follow()
        move.ledger = move.verify(self._copier, total)

    def switch(self) -> None:
        """Hold the service's writes for a moment, prove that nothing is missing, and decide."""
        move = self._move
        if move.ledger is None:
            self.verify()
        move.wait_until_known(THROUGH_SECONDS)
        for _ in range(TRIES):
            move.copy_beside(self._ends.copies[self._domain], self._ends.rows[self._domain])
            self._follow()
            began_at = time.monotonic()
            if self._seal():
                # From here on there is only one way: writes wait until the monolith takes them.
                self._moves.hand_over(self._domain, "monolith", HELD_ROW, "watch", held=False)
                self.route()
                seconds = time.monotonic() - began_at
                move.console.say(
                    f"{self._domain} is the monolith's; writes were held for {seconds:.2f} s."
                )
                return
            move.console.say("The hold ran out before the decision; the service goes on.")
        msg = "This machine is too busy for a short hold right now. Run this again."
        raise StoppedError(msg)

    def _seal(self) -> bool:
        """Take the domain from the service within one hold; answers whether it had lasted."""
        sealed = self._standings.read().state == SEALED
        if not sealed:
            self._stand(HELD, until=time.time() + LEASE_SECONDS)
        try:
            self._prove()
            sealed = sealed or self._stand(SEALED, unless_over=True)
        finally:
            if not sealed and not (sealed := self._standings.read().state == SEALED):
                self._stand(GUARDED)
        return sealed

    def route(self) -> None:
        """Send requests to the monolith, and only then let it take writes."""
        extracted = self._move.place.extracted - {self._domain}
        self._move.place.route(extracted)
        time.sleep(IN_FLIGHT)
        self._stand(CLOSED)
        self._moves.release(self._domain)
        self._move.tell_components(extracted)

    def watch(self) -> None:
        """Look for a while whether the monolith answers, then stop the service."""
        move = self._move
        if not move.leaving:
            if self._standings.read().state != CLOSED:
                self.route()
            move.watch("monolith", "gateway")
            self._until_published()
            if count := self._ends.empty(self._domain):
                move.console.say(f"{count} items are removed that the service needs no more.")
        move.leave()
        move.console.say(f"{self._domain} is answered by the monolith. The move is over.")

    def cancel(self) -> None:
        """Give up before the switch: the service goes on as before."""
        self._stand(OPEN)
        self._move.place.keep(self._domain)
        self._moves.settle(self._domain)
        self._move.console.say(f"The return of {self._domain} is given up.")

    def _prove(self) -> None:
        """Prove, while nobody writes, that the monolith knows what the service does."""
        ledger = Ledger()
        self._bring_up(ledger)
        self._move.report(ledger)
        self._fill_in()
        self._move.copy_beside(self._ends.copies[self._domain], self._ends.rows[self._domain])

    def _fill_in(self) -> None:
        """Have the monolith know the people and threads that what it copied refers to.

        Their services' events tell of them sooner or later. But who owns posts shows none in a
        thread that it does not know.
        """
        for domain in self._move.place.extracted - {self._domain}:
            rows, kept = self._ends.rows[domain], self._ends.copies[domain]
            for portion in in_portions(rows.unknown()):
                rows.learn(list(kept.read(portion).values()))

    def _follow(self) -> int:
        """Copy what has changed, until little is left; answers how many things that were."""
        count = 0
        for _ in range(ROUNDS):
            looked = utc_now()
            count += self._bring_up(None)
            self._fill_in()
            self._since = looked - MARGIN
            if (utc_now() - looked).total_seconds() < 1:
                break
        return count

    def _bring_up(self, ledger: Ledger | None) -> int:
        """Copy what changed and was not looked at before; answers how many things that were."""
        changes = self._ends.changes(self._domain, self._since)
        things = dict.fromkeys(thing for mark, thing in changes if mark not in self._seen)
        self._copier.bring_up(list(things), ledger)
        self._seen = {mark for mark, _ in changes}
        return len(things)

    def _until_published(self) -> None:
        deadline = time.monotonic() + PUBLISHED
        for component in (self._domain, "monolith"):
            outbox = self._ends.outbox(component)
            while outbox.oldest() is not None:
                if time.monotonic() > deadline:
                    msg = f"{component} has events that are not published; look at its worker."
                    raise StoppedError(msg)
                time.sleep(0.1)

    def _stand(self, state: str, *, until: float = 0, unless_over: bool = False) -> bool:
        components = self._standings.read().components
        components = components or frozenset({"monolith", *self._move.place.extracted})
        standing = Standing(state, until, components)
        return self._standings.write(standing, unless_over=unless_over)
