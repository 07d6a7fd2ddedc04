"""What the ways out and back have in common: each phase is noted, so that a move can resume."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from chassis import deadline
from chassis.clock import moment, stamp, utc_now
from chassis.ownership.records import Copy
from chassis.ownership.state import BELIEVED
from extraction.console import Console
from extraction.copier import SHOWN_DIFFERENCES, Copier, Ledger
from extraction.deployment.port import Place
from forum.ownership.transitions import Moved

KNOWN_SECONDS = BELIEVED + 0.2
"""After so long, every process knows that a domain moves."""
THROUGH_SECONDS = KNOWN_SECONDS + deadline.MOST + 1
"""After so long, every request has ended that began before it could know."""
LEASE_SECONDS = 5.0
"""So long a hold lasts if its holder dies; if the last steps take longer, it is given up."""
MARGIN = timedelta(seconds=15)
"""An event's id is older than its transaction by less than this."""
REPLAYED = timedelta(minutes=2)
WATCH_SECONDS = 10.0
TRIES = 3
"""So often a switch is tried whose hold ran out before it could be decided."""


class StoppedError(Exception):
    """A move can't go on; the message says why, and what to do."""


@dataclass
class Move:
    """One domain on its way, and how far it is; `progress` is kept in the forum's database."""

    place: Place
    domain: str
    direction: str
    console: Console
    mend: bool = False
    watch_seconds: float = WATCH_SECONDS
    progress: dict[str, Any] = field(default_factory=dict)
    phase: str = "prepare"
    ledger: Ledger | None = None

    def note(self, phase: str = "") -> None:
        """Note how far the move is, and the phase that it is in from now on."""
        self.phase = phase or self.phase
        self.place.ends.moves.note(self.domain, self.phase, self.progress)

    @property
    def leaving(self) -> bool:
        """Tell whether the service is being stopped already: nothing of it can be asked then."""
        return bool(self.progress.get("leaving"))

    def leave(self) -> None:
        """Stop the service and what nobody needs then, and end the move; may be done again."""
        self.progress["leaving"] = True
        self.note()
        self.place.clear(self.domain)
        self.place.ends.moves.settle(self.domain)

    def moved(self) -> Moved | None:
        """Read what is noted of the domain."""
        return self.place.ends.moves.all().get(self.domain)

    def since_known(self) -> float:
        """Tell for how many seconds everybody could know of the move."""
        return (utc_now() - moment(self.progress["began"])).total_seconds()

    def backfilled_from(self) -> datetime:
        """Tell when the backfill began."""
        return moment(self.progress["changed_from"])

    def wait_until_known(self, seconds: float) -> None:
        """Wait until the move is known, or every request through that began before."""
        left = seconds - self.since_known()
        if left > 0:
            time.sleep(left)

    def in_pages(self, name: str, total: int, page: Callable[[str], str | None]) -> None:
        """Go through pages, and remember after each where the next one begins."""
        after = self.progress.setdefault("after", {}).get(name, "")
        if after is None:
            return
        with self.console.bar(name, total):
            while after is not None:
                after = page(after)
                self.progress["after"][name] = after
                self.note()

    def copy_beside(self, source: Copy, target: Copy) -> None:
        """Copy what belongs to the domain beside its records, as far as that was not done yet."""
        told = self.progress.get("beside_from")
        since = moment(told) - MARGIN if told else None
        now = began()
        for records in source.beside(since):
            target.put_beside(records)
        self.progress["beside_from"] = now

    def verify(self, copier: Copier, total: int) -> Ledger:
        """Compare everything; raise StoppedError if something is not alike."""
        with self.console.bar("compared", total):
            ledger = copier.verify(self.console.advance, mend=self.mend)
        with self.console.bar("looked for what only the copy has", ledger.count):
            copier.find_extras(ledger, self.console.advance)
        self.console.say(
            f"{ledger.count} {self.domain} compared by hash, sum of versions {ledger.versions};"
            f" {ledger.behind} were behind and are copied."
        )
        self.report(ledger, mended=self.mend)
        if ledger.extras:
            shown = ", ".join(ledger.extras[:SHOWN_DIFFERENCES])
            msg = (
                f"Only the copy has {len(ledger.extras)} {self.domain}: {shown}."
                " Ask for the other direction to give this move up; the next one begins anew."
            )
            raise StoppedError(msg)
        return ledger

    def report(self, ledger: Ledger, *, mended: bool = False) -> None:
        """Name what is not alike; raise StoppedError unless that could be `mended`."""
        if not ledger.different:
            return
        shown = [f"  {difference}" for difference in ledger.different[:SHOWN_DIFFERENCES]]
        if (more := len(ledger.different) - len(shown)) > 0:
            shown.append(f"  and {more} more")
        self.console.say("\n".join([f"{len(ledger.different)} {self.domain} differ:", *shown]))
        if not mended:
            msg = (
                "Nothing was switched. Look at them; `MEND=on` replaces the copies by what"
                " their owner knows."
            )
            raise StoppedError(msg)
        self.console.say("They were replaced by what their owner knows.")
        ledger.different.clear()

    def replay(self) -> None:
        """Have others publish again what a queue that is new may have missed."""
        beat = self.place.ends.outbox("monolith").last_beat()
        lag = timedelta(seconds=beat.lag_seconds if beat else 0)
        since = utc_now() - max(REPLAYED, 2 * lag)
        for component in ("monolith", *sorted(self.place.extracted)):
            self.place.ends.outbox(component).again(since)

    def watch(self, owner: str, log: str) -> None:
        """Look for a while whether the domain is answered by its owner; `log` is where to look."""
        self.phase = "watch"
        deadline = time.monotonic() + self.watch_seconds
        while True:
            answers = self.place.served_by(frozenset({self.domain}))[self.domain]
            if answers != owner:
                msg = f"{self.domain} is answered by {answers}; look at the {log}'s log."
                raise StoppedError(msg)
            if time.monotonic() > deadline:
                return
            time.sleep(0.25)

    def tell_components(self, extracted: frozenset[str]) -> None:
        """Tell the services which components there are now, as who erases people must know."""
        for domain in extracted:
            standings = self.place.ends.standings(domain)
            standing = standings.read()
            components = frozenset({"monolith", *extracted})
            if standing.components != components:
                standings.write(replace(standing, components=components))


def began() -> str:
    """Give the moment, for `Move.progress`."""
    return stamp(utc_now())
