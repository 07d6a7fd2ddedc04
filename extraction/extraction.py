"""What the ways out and back have in common: each phase is noted, so that a move can resume."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from chassis import deadline
from chassis.clock import format_timestamp, parse_timestamp, utc_now
from chassis.ownership.records import RecordStore
from chassis.ownership.state import CACHE_TTL
from extraction.console import Console
from extraction.copier import SHOWN_DIFFERENCES, Copier, VerificationReport
from extraction.deployment.port import Deployment
from forum.ownership.transitions import DomainStatus

ANNOUNCED_SECONDS = CACHE_TTL + 0.2
"""After so long, every process knows that a domain moves."""
DRAINED_SECONDS = ANNOUNCED_SECONDS + deadline.MAX_SECONDS + 1
"""After so long, every request has ended that began before it could know."""
FREEZE_SECONDS = 5.0
"""So long a hold lasts if its holder dies; if the last steps take longer, it is given up."""
CLOCK_MARGIN = timedelta(seconds=15)
"""An event's id is older than its transaction by less than this."""
REPUBLISH_WINDOW = timedelta(minutes=2)
SOAK_SECONDS = 10.0
CUTOVER_ATTEMPTS = 3
"""So often a switch is tried whose hold ran out before it could be decided."""


class ExtractionStopped(Exception):
    """A move can't go on; the message says why, and what to do."""


@dataclass
class Extraction:
    """One domain on its way, and how far it is; `progress` is kept in the forum's database."""

    deployment: Deployment
    domain: str
    direction: str
    console: Console
    repair: bool = False
    soak_seconds: float = SOAK_SECONDS
    progress: dict[str, Any] = field(default_factory=dict)
    phase: str = "prepare"
    report: VerificationReport | None = None

    def save_progress(self, phase: str = "") -> None:
        """Note how far the move is, and the phase that it is in from now on."""
        self.phase = phase or self.phase
        self.deployment.endpoints.transitions.record_progress(
            self.domain, self.phase, self.progress
        )

    @property
    def is_stopping_service(self) -> bool:
        """Tell whether the service is being stopped already: nothing of it can be asked then."""
        return bool(self.progress.get("leaving"))

    def stop_service(self) -> None:
        """Stop the service and what nobody needs then, and end the move; may be done again."""
        self.progress["leaving"] = True
        self.save_progress()
        self.deployment.stop_service(self.domain)
        self.deployment.endpoints.transitions.finish_move(self.domain)

    def load_status(self) -> DomainStatus | None:
        """Read what is noted of the domain."""
        return self.deployment.endpoints.transitions.load_all().get(self.domain)

    def seconds_since_announced(self) -> float:
        """Tell for how many seconds everybody could know of the move."""
        return (utc_now() - parse_timestamp(self.progress["began"])).total_seconds()

    def backfill_started_at(self) -> datetime:
        """Tell when the backfill began."""
        return parse_timestamp(self.progress["changed_from"])

    def wait_since_announced(self, seconds: float) -> None:
        """Wait until the move is known, or every request through that began before."""
        left = seconds - self.seconds_since_announced()
        if left > 0:
            time.sleep(left)

    def copy_pages(self, name: str, total: int, page: Callable[[str], str | None]) -> None:
        """Go through pages, and remember after each where the next one begins."""
        after = self.progress.setdefault("after", {}).get(name, "")
        if after is None:
            return
        with self.console.bar(name, total):
            while after is not None:
                after = page(after)
                self.progress["after"][name] = after
                self.save_progress()

    def copy_auxiliary(self, source: RecordStore, target: RecordStore) -> None:
        """Copy what belongs to the domain beside its records, as far as that was not done yet."""
        told = self.progress.get("beside_from")
        since = parse_timestamp(told) - CLOCK_MARGIN if told else None
        now = timestamp_now()
        for records in source.read_auxiliary(since):
            target.write_auxiliary(records)
        self.progress["beside_from"] = now

    def verify(self, copier: Copier, total: int) -> VerificationReport:
        """Compare everything; raise StoppedError if something is not alike."""
        with self.console.bar("compared", total):
            ledger = copier.verify(self.console.advance, repair=self.repair)
        with self.console.bar("looked for what only the copy has", ledger.count):
            copier.find_copy_only(ledger, self.console.advance)
        self.console.say(
            f"{ledger.count} {self.domain} compared by hash, sum of versions {ledger.versions};"
            f" {ledger.behind} were behind and are copied."
        )
        self.report_differences(ledger, repaired=self.repair)
        if ledger.copy_only:
            shown = ", ".join(ledger.copy_only[:SHOWN_DIFFERENCES])
            msg = (
                f"Only the copy has {len(ledger.copy_only)} {self.domain}: {shown}."
                " Ask for the other direction to give this move up; the next one begins anew."
            )
            raise ExtractionStopped(msg)
        return ledger

    def report_differences(self, ledger: VerificationReport, *, repaired: bool = False) -> None:
        """Name what differs; raise ExtractionStopped unless it was `repaired`."""
        if not ledger.differences:
            return
        shown = [f"  {difference}" for difference in ledger.differences[:SHOWN_DIFFERENCES]]
        if (more := len(ledger.differences) - len(shown)) > 0:
            shown.append(f"  and {more} more")
        self.console.say("\n".join([f"{len(ledger.differences)} {self.domain} differ:", *shown]))
        if not repaired:
            msg = (
                "Nothing was switched. Look at them; `REPAIR=on` replaces the copies by what"
                " their owner knows."
            )
            raise ExtractionStopped(msg)
        self.console.say("They were replaced by what their owner knows.")
        ledger.differences.clear()

    def republish_recent_events(self) -> None:
        """Have others publish again what a queue that is new may have missed."""
        beat = self.deployment.endpoints.outbox("monolith").last_heartbeat()
        lag = timedelta(seconds=beat.lag_seconds if beat else 0)
        since = utc_now() - max(REPUBLISH_WINDOW, 2 * lag)
        for component in ("monolith", *sorted(self.deployment.extracted)):
            self.deployment.endpoints.outbox(component).republish_since(since)

    def soak(self, owner: str, log: str) -> None:
        """Look for a while whether the domain is answered by its owner; `log` is where to look."""
        self.phase = "soak"
        deadline = time.monotonic() + self.soak_seconds
        while True:
            answers = self.deployment.served_by(frozenset({self.domain}))[self.domain]
            if answers != owner:
                msg = f"{self.domain} is answered by {answers}; look at the {log}'s log."
                raise ExtractionStopped(msg)
            if time.monotonic() > deadline:
                return
            time.sleep(0.25)

    def announce_components(self, extracted: frozenset[str]) -> None:
        """Tell the services which components there are now, as who erases people must know."""
        for domain in extracted:
            standings = self.deployment.endpoints.ownership(domain)
            standing = standings.load()
            components = frozenset({"monolith", *extracted})
            if standing.components != components:
                standings.save(replace(standing, components=components))


def timestamp_now() -> str:
    """Give the moment, for `Move.progress`."""
    return format_timestamp(utc_now())
