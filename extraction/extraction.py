"""A move of a domain in either direction; its progress is stored, so that it can resume."""

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
"""After this time, every process knows that a domain is moving."""
DRAINED_SECONDS = ANNOUNCED_SECONDS + deadline.MAX_SECONDS + 1
"""After this time, every request that began before has ended."""
FREEZE_SECONDS = 5.0
"""The deadline of a write freeze, in case this process crashes or is too slow."""
CLOCK_MARGIN = timedelta(seconds=15)
"""An event's id is older than its transaction by less than this."""
REPUBLISH_WINDOW = timedelta(minutes=2)
SOAK_SECONDS = 10.0
REPLICA_OF = "replica of "
"""Prefix of a service's replica in the progress."""
CUTOVER_ATTEMPTS = 3
"""Attempts of a cutover whose write freeze expires."""


class ExtractionStopped(Exception):
    """The move can't continue; the message gives the reason and the next step."""


@dataclass
class Extraction:
    """One domain and the progress of its move, which is stored in the forum's database."""

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
        """Store the progress, and the next phase."""
        self.phase = phase or self.phase
        self.deployment.endpoints.transitions.record_progress(
            self.domain, self.phase, self.progress
        )

    @property
    def is_stopping_service(self) -> bool:
        """Return whether the service is already being stopped, so that it no longer responds."""
        return bool(self.progress.get("leaving"))

    def empty_service(self) -> None:
        """Stop the service's worker, and delete the service's data.

        No event would change what is left there, not even an erasure.
        """
        # First: it would fill the tables again.
        self.deployment.stop_worker(self.domain)
        if count := self.deployment.endpoints.clear_service_tables(self.domain):
            self.console.say(f"Deleted {count} items from the service's tables.")

    def stop_service(self) -> None:
        """Stop the service and everything that only it needs, and finish the move; idempotent."""
        self.progress["leaving"] = True
        self.save_progress()
        self.deployment.stop_service(self.domain)
        self.deployment.endpoints.transitions.finish_move(self.domain)

    def load_status(self) -> DomainStatus | None:
        """Read the stored status of the domain."""
        return self.deployment.endpoints.transitions.load_all().get(self.domain)

    def seconds_since_announced(self) -> float:
        """Return the seconds since the move was announced."""
        return (utc_now() - parse_timestamp(self.progress["began"])).total_seconds()

    def backfill_started_at(self) -> datetime:
        """Return when the backfill began."""
        return parse_timestamp(self.progress["changed_from"])

    def wait_since_announced(self, seconds: float) -> None:
        """Wait until this many seconds after the announcement."""
        left = seconds - self.seconds_since_announced()
        if left > 0:
            time.sleep(left)

    def copy_pages(self, name: str, total: int, page: Callable[[str], str | None]) -> None:
        """Copy pages, and store the start of the next one after each."""
        after = self.progress.setdefault("after", {}).get(name, "")
        if after is None:
            return
        copied = self.progress.setdefault("copied", {})
        before = copied.get(name, 0)
        with self.console.bar(name, total):
            while after is not None:
                after = page(after)
                self.progress["after"][name] = after
                copied[name] = before + self.console.count
                self.save_progress()

    def copy_auxiliary(self, source: RecordStore, target: RecordStore) -> None:
        """Copy the domain's new auxiliary records."""
        copied_at = self.progress.get("auxiliary_from")
        since = parse_timestamp(copied_at) - CLOCK_MARGIN if copied_at else None
        now = timestamp_now()
        for records in source.read_auxiliary(since):
            target.write_auxiliary(records)
        self.progress["auxiliary_from"] = now

    def verify(self, copier: Copier, total: int) -> VerificationReport:
        """Compare all records; raise ExtractionStopped if one differs."""
        with self.console.bar("compared", total):
            report = copier.verify(self.console.advance, repair=self.repair)
        with self.console.bar("searched for records that only the copy has", report.count):
            copier.find_copy_only(report, self.console.advance)
        self.console.say(
            f"Compared {report.count} {self.domain} by hash (sum of versions: {report.versions});"
            f" copied {report.behind} that were out of date."
        )
        self.report_differences(report, repaired=self.repair)
        if report.copy_only:
            shown = ", ".join(report.copy_only[:SHOWN_DIFFERENCES])
            msg = (
                f"Only the copy has {len(report.copy_only)} {self.domain}: {shown}."
                " To cancel, run the opposite direction; the next attempt starts from scratch."
            )
            raise ExtractionStopped(msg)
        return report

    def report_differences(self, report: VerificationReport, *, repaired: bool = False) -> None:
        """Print the differences; raise ExtractionStopped unless they were `repaired`."""
        if not report.differences:
            return
        shown = [f"  {difference}" for difference in report.differences[:SHOWN_DIFFERENCES]]
        if (more := len(report.differences) - len(shown)) > 0:
            shown.append(f"  and {more} more")
        number = len(report.differences)
        differ = (
            f"1 {self.domain[:-1]} differs:" if number == 1 else f"{number} {self.domain} differ:"
        )
        self.console.say("\n".join([differ, *shown]))
        if not repaired:
            msg = (
                "The owner did not change. Review the differences; `REPAIR=on` replaces the"
                " copies with the owner's records."
            )
            raise ExtractionStopped(msg)
        self.console.say("Replaced the copies with the owner's records.")
        report.differences.clear()

    def republish_recent_events(self) -> None:
        """Publish recent events again, because the new queue may have missed them."""
        beat = self.deployment.endpoints.outbox("monolith").last_heartbeat()
        lag = timedelta(seconds=beat.lag_seconds if beat else 0)
        since = utc_now() - max(REPUBLISH_WINDOW, 2 * lag)
        for component in ("monolith", *sorted(self.deployment.extracted)):
            self.deployment.endpoints.outbox(component).republish_since(since)

    def soak(self, owner: str, log: str) -> None:
        """Check for a while that the owner serves the domain; a failure message names `log`."""
        self.phase = "soak"
        deadline = time.monotonic() + self.soak_seconds
        while True:
            served_by = self.deployment.served_by(frozenset({self.domain}))[self.domain]
            if served_by != owner:
                msg = f"{self.domain} is served by {served_by}; see the log of the {log}."
                raise ExtractionStopped(msg)
            if time.monotonic() > deadline:
                return
            time.sleep(0.25)

    def announce_components(self, extracted: frozenset[str]) -> None:
        """Store the current components in the services; erasures need them."""
        for domain in extracted:
            store = self.deployment.endpoints.ownership(domain)
            ownership = store.load()
            components = frozenset({"monolith", *extracted})
            if ownership.components != components:
                store.save(replace(ownership, components=components))


def timestamp_now() -> str:
    """Return the current time, for `Extraction.progress`."""
    return format_timestamp(utc_now())


def changes(count: int) -> str:
    """Return a number of changes in words."""
    return f"{count} change{'' if count == 1 else 's'}"
