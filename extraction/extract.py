"""Extraction: a domain moves from the monolith to its service.

Nothing changes for users before the cutover, and each phase can be repeated. The cutover is one
transaction in the forum's database, and possible only during a write freeze.
"""

import time
from functools import partial

from chassis.ownership.records import Replica
from chassis.ownership.state import OwnershipState, State
from extraction.copier import Copier, VerificationReport
from extraction.extraction import (
    ANNOUNCED_SECONDS,
    CUTOVER_ATTEMPTS,
    FREEZE_SECONDS,
    REPLICA_OF,
    Extraction,
    ExtractionStopped,
    changes,
    timestamp_now,
)
from forum.ownership.records import MonolithRecordStore
from forum.ownership.state import MOVING
from infra.domains import SERVICES

CHANGE_BATCH = 500
"""Changes copied per batch."""


class Extract:
    """The phases of an extraction."""

    def __init__(self, move: Extraction) -> None:
        self._move = move
        self._domain = move.domain
        self._endpoints = move.deployment.endpoints
        self._transitions = self._endpoints.transitions
        self._ownership = self._endpoints.ownership(self._domain)
        self._copier = Copier(
            self._endpoints.monolith_records[self._domain],
            self._endpoints.service_records[self._domain],
        )

    def prepare(self) -> None:
        """Start the service, empty and without any route to it, and begin to record changes."""
        move = self._move
        move.progress.pop("leaving", None)
        move.deployment.start_service(self._domain)
        self._ownership.save(OwnershipState(State.CLOSED))
        if not move.progress.get("emptied"):
            if count := self._endpoints.clear_service_tables(self._domain):
                move.console.say(f"Deleted {count} items of an earlier extraction.")
            move.progress |= {
                "direction": move.direction,
                "emptied": True,
                "began": timestamp_now(),
            }
            self._transitions.begin_move(self._domain, "monolith", move.progress)
        move.wait_since_announced(ANNOUNCED_SECONDS)
        self._transitions.wait_for_open_transactions()
        move.republish_recent_events()

    def backfill(self) -> None:
        """Copy the domain's rows, and those of other domains into the service's replicas."""
        move, rows = self._move, self._endpoints.monolith_records
        total = rows[self._domain].totals()[0]
        move.copy_pages(
            self._domain, total, lambda after: self._copier.copy(after, move.console.advance)
        )
        for other, replica in self._endpoints.replicas(self._domain).items():
            page = partial(self._copy_replica_page, rows[other], replica)
            move.copy_pages(f"{REPLICA_OF}{other}", rows[other].totals()[0], page)
        move.copy_auxiliary(rows[self._domain], self._endpoints.service_records[self._domain])

    def catch_up(self) -> None:
        """Copy the changes made during the backfill."""
        self._keep_replicas()
        count = self._copy_changes(None)
        self._move.console.say(f"Caught up with {changes(count)}.")

    def verify(self) -> None:
        """Compare all records by their hashes, then those that changed in the meantime."""
        move = self._move
        # A phase that runs alone has prepared again, which may have stopped the worker.
        self._keep_replicas()
        total = self._endpoints.monolith_records[self._domain].totals()[0]
        move.report = move.verify(self._copier, total)
        self._copy_changes(move.report)
        move.report_differences(move.report)

    def cutover(self) -> None:
        """Freeze writes for a moment, prove that nothing is missing, and change the owner."""
        move = self._move
        if move.report is None:
            self.verify()
        report = move.report
        if report is None:
            raise AssertionError
        move.deployment.start_worker(self._domain)
        for _ in range(CUTOVER_ATTEMPTS):
            move.copy_auxiliary(
                self._endpoints.monolith_records[self._domain],
                self._endpoints.service_records[self._domain],
            )
            self._copy_changes(report)
            seconds = self._change_owner(report)
            if seconds:
                move.console.say(
                    f"{self._domain} now belongs to its service;"
                    f" writes were frozen for {seconds:.2f} s."
                )
                self.route()
                return
            move.console.say(
                "The write freeze expired before the cutover; the monolith still owns the domain."
            )
        msg = "This machine is too busy for a short write freeze. Run this again."
        raise ExtractionStopped(msg)

    def _keep_replicas(self) -> None:
        """Start the worker if there are replicas to keep up to date; else the cutover starts it."""
        if SERVICES[self._domain].replicas:
            self._move.deployment.start_worker(self._domain)

    def _change_owner(self, report: VerificationReport) -> float:
        """Change the owner within one write freeze; return its seconds, 0 if it expired."""
        components = frozenset({"monolith", *self._move.deployment.extracted, self._domain})
        began_at = time.monotonic()
        self._transitions.freeze_writes(self._domain, FREEZE_SECONDS)
        try:
            self._verify_frozen(report)
            self._ownership.save(OwnershipState(State.OPEN, components=components))
            self._transitions.change_owner(self._domain, self._domain, MOVING, "soak")
        finally:
            # Read again: a response can be lost although the transaction was committed.
            decided = self._transitions.load_all()[self._domain].owner == self._domain
            if not decided:
                self._ownership.save(OwnershipState(State.CLOSED))
                self._transitions.unfreeze_writes(self._domain)
        return time.monotonic() - began_at if decided else 0

    def route(self) -> None:
        """Route requests to the new owner; until then the monolith forwards them."""
        extracted = self._move.deployment.extracted | {self._domain}
        self._move.deployment.set_routes(extracted)
        self._move.announce_components(extracted)

    def soak(self) -> None:
        """Check for a while that the service responds, then finish."""
        move = self._move
        if self._domain not in move.deployment.extracted:
            self.route()
        if self._ownership.load().state != State.OPEN:
            components = frozenset({"monolith", *move.deployment.extracted})
            self._ownership.save(OwnershipState(State.OPEN, components=components))
        move.deployment.start_worker(self._domain)
        move.soak(self._domain, "service")
        move.deployment.keep_service(self._domain)
        self._transitions.discard_changes(self._domain)
        self._transitions.finish_move(self._domain)
        move.console.say(f"{self._domain} is served by its service. The extraction is finished.")

    def cancel(self) -> None:
        """Cancel the move before the cutover: stop the service."""
        if not self._move.is_stopping_service:
            self._ownership.save(OwnershipState(State.CLOSED))
            self._transitions.discard_changes(self._domain)
            self._move.empty_service()
        self._move.stop_service()
        self._move.console.say(f"The extraction of {self._domain} is cancelled.")

    def cancel_before_begin(self) -> None:
        """Stop the service of an extraction that was interrupted before it began."""
        self._move.deployment.stop_service(self._domain)
        self._move.console.say(f"The extraction of {self._domain} is cancelled.")

    def _copy_replica_page(
        self, source: MonolithRecordStore, replica: Replica, after: str
    ) -> str | None:
        records, following = source.read_page(after, CHANGE_BATCH)
        replica.write_records(records)
        self._move.console.advance(len(records))
        return following

    def _verify_frozen(self, report: VerificationReport) -> None:
        """Prove during the write freeze that the service has the same records as the monolith."""
        move = self._move
        self._copy_changes(report)
        move.report_differences(report)
        totals = self._endpoints.monolith_records[self._domain].totals()
        if totals != report.totals:
            msg = (
                f"The monolith has {totals} (number of records, sum of versions),"
                f" the copy {report.totals}."
            )
            raise ExtractionStopped(msg)
        move.copy_auxiliary(
            self._endpoints.monolith_records[self._domain],
            self._endpoints.service_records[self._domain],
        )

    def _copy_changes(self, report: VerificationReport | None) -> int:
        """Copy the recorded changes that are not copied yet; return their number."""
        count = 0
        while events := self._transitions.uncopied_changes(self._domain, CHANGE_BATCH):
            self._copier.copy_changed(
                list(dict.fromkeys(record_id for _, record_id in events)), report
            )
            self._transitions.mark_copied([event_id for event_id, _ in events])
            count += len(events)
        return count
