"""The way out: a domain leaves the monolith for its service.

Until the switch nothing changes for anybody; each phase can be repeated. The decision is one
transaction in the forum's database, and possible only while a hold lasts.
"""

import time
from functools import partial

from chassis.ownership.state import CLOSED, OPEN, OwnershipState
from extraction.copier import Copier, VerificationReport
from extraction.endpoints import MonolithRecordStore, WriteReplicas
from extraction.extraction import (
    ANNOUNCED_SECONDS,
    CUTOVER_ATTEMPTS,
    FREEZE_SECONDS,
    Extraction,
    ExtractionStopped,
    timestamp_now,
)
from forum.ownership.state import MOVING

CHANGE_BATCH = 500
"""So many events are looked at in one go."""


class Extract:
    """The phases of an extraction."""

    def __init__(self, move: Extraction) -> None:
        self._move = move
        self._domain = move.domain
        self._ends = move.deployment.endpoints
        self._moves = self._ends.transitions
        self._standings = self._ends.ownership(self._domain)
        self._copier = Copier(
            self._ends.monolith_records[self._domain], self._ends.service_records[self._domain]
        )

    def prepare(self) -> None:
        """Bring up the service, empty and without any route to it, and begin to note changes."""
        move = self._move
        move.progress.pop("leaving", None)
        move.deployment.start_service(self._domain)
        self._standings.save(OwnershipState(CLOSED))
        if not move.progress.get("emptied"):
            if count := self._ends.clear_service_tables(self._domain):
                move.console.say(f"{count} items of an earlier stay are removed.")
            move.progress |= {
                "direction": move.direction,
                "emptied": True,
                "began": timestamp_now(),
            }
            self._moves.begin_move(self._domain, "monolith", move.progress)
        move.wait_since_announced(ANNOUNCED_SECONDS)
        self._moves.wait_for_open_transactions()
        move.republish_recent_events()

    def backfill(self) -> None:
        """Copy the rows, and those of others of which the service keeps something."""
        move, rows = self._move, self._ends.monolith_records
        total = rows[self._domain].totals()[0]
        move.copy_pages(
            self._domain, total, lambda after: self._copier.copy(after, move.console.advance)
        )
        for other, keep in self._ends.replica_writers(self._domain).items():
            page = partial(self._beside, rows[other], keep)
            move.copy_pages(f"{other}, for its copies", rows[other].totals()[0], page)
        move.copy_auxiliary(rows[self._domain], self._ends.service_records[self._domain])

    def catch_up(self) -> None:
        """Copy what has changed meanwhile, until little is left."""
        if self._domain != "users":
            # It learns of others' changes. Users' worker has nothing to do before the switch.
            self._move.deployment.start_worker(self._domain)
        count = self._copy_changes(None)
        self._move.console.say(f"{count} changes caught up with.")

    def verify(self) -> None:
        """Compare everything by hash, then what changed meanwhile."""
        move = self._move
        total = self._ends.monolith_records[self._domain].totals()[0]
        move.report = move.verify(self._copier, total)
        self._copy_changes(move.report)
        move.report_differences(move.report)

    def cutover(self) -> None:
        """Hold the domain's writes for a moment, prove that nothing is missing, and decide."""
        move = self._move
        if move.report is None:
            self.verify()
        ledger = move.report
        if ledger is None:
            raise AssertionError
        move.deployment.start_worker(self._domain)
        for _ in range(CUTOVER_ATTEMPTS):
            move.copy_auxiliary(
                self._ends.monolith_records[self._domain], self._ends.service_records[self._domain]
            )
            self._copy_changes(ledger)
            seconds = self._change_owner(ledger)
            if seconds:
                move.console.say(
                    f"{self._domain} is the service's; writes were held for {seconds:.2f} s."
                )
                self.route()
                return
            move.console.say("The hold ran out before the decision; the monolith goes on.")
        msg = "This machine is too busy for a short hold right now. Run this again."
        raise ExtractionStopped(msg)

    def _change_owner(self, ledger: VerificationReport) -> float:
        """Change the owner within one hold; answers its seconds, 0 if it ran out."""
        components = frozenset({"monolith", *self._move.deployment.extracted, self._domain})
        began_at = time.monotonic()
        self._moves.freeze_writes(self._domain, FREEZE_SECONDS)
        try:
            self._verify_frozen(ledger)
            self._standings.save(OwnershipState(OPEN, components=components))
            self._moves.change_owner(self._domain, self._domain, MOVING, "soak")
        finally:
            # Asked anew: an answer can be lost although the decision was made.
            decided = self._moves.load_all()[self._domain].owner == self._domain
            if not decided:
                self._standings.save(OwnershipState(CLOSED))
                self._moves.unfreeze_writes(self._domain)
        return time.monotonic() - began_at if decided else 0

    def route(self) -> None:
        """Send requests to the new owner; until then the monolith sends them on."""
        extracted = self._move.deployment.extracted | {self._domain}
        self._move.deployment.set_routes(extracted)
        self._move.announce_components(extracted)

    def soak(self) -> None:
        """Look for a while whether the service answers, then end the move."""
        move = self._move
        if self._domain not in move.deployment.extracted:
            self.route()
        if self._standings.load().state != OPEN:
            components = frozenset({"monolith", *move.deployment.extracted})
            self._standings.save(OwnershipState(OPEN, components=components))
        move.deployment.start_worker(self._domain)
        move.soak(self._domain, "service")
        move.deployment.keep_service(self._domain)
        self._moves.discard_changes(self._domain)
        self._moves.finish_move(self._domain)
        move.console.say(f"{self._domain} is answered by its service. The move is over.")

    def cancel(self) -> None:
        """Give up before the switch: the service stops, the monolith never noticed."""
        if not self._move.is_stopping_service:
            self._standings.save(OwnershipState(CLOSED))
            self._moves.discard_changes(self._domain)
        self._move.stop_service()
        self._move.console.say(f"The extraction of {self._domain} is given up.")

    def _beside(self, source: MonolithRecordStore, keep: WriteReplicas, after: str) -> str | None:
        records, following = source.read_page(after, CHANGE_BATCH)
        keep(records)
        self._move.console.advance(len(records))
        return following

    def _verify_frozen(self, ledger: VerificationReport) -> None:
        """Prove, while nobody writes, that the service knows what the monolith does."""
        move = self._move
        self._copy_changes(ledger)
        move.report_differences(ledger)
        held = self._ends.monolith_records[self._domain].totals()
        if held != ledger.totals:
            msg = f"The monolith counts {held} (number, sum of versions), the copy {ledger.totals}."
            raise ExtractionStopped(msg)
        move.copy_auxiliary(
            self._ends.monolith_records[self._domain], self._ends.service_records[self._domain]
        )

    def _copy_changes(self, ledger: VerificationReport | None) -> int:
        """Copy what events tell of that nobody has looked at; answers how many there were."""
        count = 0
        while events := self._moves.uncopied_changes(self._domain, CHANGE_BATCH):
            self._copier.copy_changed(list(dict.fromkeys(thing for _, thing in events)), ledger)
            self._moves.mark_copied([one for one, _ in events])
            count += len(events)
        return count
