"""The way back: a domain returns from its service to the monolith, with all that was written since.

The monolith's rows were kept by the service's events all along; what events do not tell, such as
passwords, is copied now.
"""

import time

from chassis.clock import utc_now
from chassis.ownership.records import id_batches
from chassis.ownership.state import CLOSED, FENCED, FROZEN, OPEN, SEALED, OwnershipState
from extraction.copier import Copier, VerificationReport
from extraction.extraction import (
    CLOCK_MARGIN,
    CUTOVER_ATTEMPTS,
    DRAINED_SECONDS,
    FREEZE_SECONDS,
    Extraction,
    ExtractionStopped,
    timestamp_now,
)
from forum.ownership.state import FROZEN as HELD_ROW

IN_FLIGHT_SECONDS = 0.2  # seconds that a read may still take which the gateway sent before
MAX_ROUNDS = 5
PUBLISH_SECONDS = 60  # seconds until the service's last events are out


class Reintegrate:
    """The phases of a return."""

    def __init__(self, move: Extraction) -> None:
        self._move = move
        self._domain = move.domain
        self._ends = move.deployment.endpoints
        self._moves = self._ends.transitions
        self._standings = self._ends.ownership(self._domain)
        self._since = utc_now() - CLOCK_MARGIN
        self._seen = set[str]()
        self._copier = Copier(
            self._ends.service_records[self._domain],
            self._ends.monolith_records[self._domain],
            target_learns=True,
            # Of a thread that came and went before it was told of, nothing is left to know.
            may_lack=lambda record: self._domain == "threads" and record["deleted"],
            changed=lambda: {one for _, one in self._ends.changes_since(self._domain, self._since)},
        )

    def prepare(self) -> None:
        """Have every write of the service checked from now on."""
        move = self._move
        if self._standings.load().state == OPEN:
            self._save_state(FENCED)
        move.deployment.start_service(self._domain)
        if "began" not in move.progress:
            move.progress |= {"direction": move.direction, "began": timestamp_now()}
            self._moves.begin_move(self._domain, self._domain, move.progress)

    def backfill(self) -> None:
        """Copy what the monolith's rows lack."""
        move = self._move
        move.progress.setdefault("changed_from", timestamp_now())
        total = self._ends.monolith_records[self._domain].totals()[0]
        move.copy_pages(
            self._domain,
            total,
            lambda after: self._copier.copy_differing(after, move.console.advance),
        )
        move.copy_auxiliary(
            self._ends.service_records[self._domain], self._ends.monolith_records[self._domain]
        )

    def catch_up(self) -> None:
        """Copy what has changed since, ahead of the events that tell of it."""
        move = self._move
        self._since = move.backfill_started_at() - CLOCK_MARGIN
        count = self._copy_changes()
        move.wait_since_announced(DRAINED_SECONDS)
        move.console.say(f"{count} changes caught up with.")

    def verify(self) -> None:
        """Compare everything by hash."""
        move = self._move
        total = self._ends.monolith_records[self._domain].totals()[0]
        # By events the monolith knows what changed meanwhile, but for what they do not tell, such
        # as passwords; that is not to be taken for a difference.
        self._since = move.backfill_started_at() - CLOCK_MARGIN
        self._copy_changes()
        move.report = move.verify(self._copier, total)

    def cutover(self) -> None:
        """Hold the service's writes for a moment, prove that nothing is missing, and decide."""
        move = self._move
        if move.report is None:
            self.verify()
        move.wait_since_announced(DRAINED_SECONDS)
        for _ in range(CUTOVER_ATTEMPTS):
            move.copy_auxiliary(
                self._ends.service_records[self._domain], self._ends.monolith_records[self._domain]
            )
            self._copy_changes()
            began_at = time.monotonic()
            if self._seal_service():
                # From here on there is only one way: writes wait until the monolith takes them.
                self._moves.change_owner(
                    self._domain, "monolith", HELD_ROW, "soak", only_while_frozen=False
                )
                self.route()
                seconds = time.monotonic() - began_at
                move.console.say(
                    f"{self._domain} is the monolith's; writes were held for {seconds:.2f} s."
                )
                return
            move.console.say("The hold ran out before the decision; the service goes on.")
        msg = "This machine is too busy for a short hold right now. Run this again."
        raise ExtractionStopped(msg)

    def _seal_service(self) -> bool:
        """Take the domain from the service within one hold; answers whether it had lasted."""
        sealed = self._standings.load().state == SEALED
        if not sealed:
            self._save_state(FROZEN, until=time.time() + FREEZE_SECONDS)
        try:
            self._verify_frozen()
            sealed = sealed or self._save_state(SEALED, unless_over=True)
        finally:
            if not sealed and not (sealed := self._standings.load().state == SEALED):
                self._save_state(FENCED)
        return sealed

    def route(self) -> None:
        """Send requests to the monolith, and only then let it take writes."""
        extracted = self._move.deployment.extracted - {self._domain}
        self._move.deployment.set_routes(extracted)
        time.sleep(IN_FLIGHT_SECONDS)
        self._save_state(CLOSED)
        self._moves.unfreeze_writes(self._domain)
        self._move.announce_components(extracted)

    def soak(self) -> None:
        """Look for a while whether the monolith answers, then stop the service."""
        move = self._move
        if not move.is_stopping_service:
            if self._standings.load().state != CLOSED:
                self.route()
            move.soak("monolith", "gateway")
            self._wait_until_published()
            if count := self._ends.clear_service_tables(self._domain):
                move.console.say(f"{count} items are removed that the service needs no more.")
        move.stop_service()
        move.console.say(f"{self._domain} is answered by the monolith. The move is over.")

    def cancel(self) -> None:
        """Give up before the switch: the service goes on as before."""
        self._save_state(OPEN)
        self._move.deployment.keep_service(self._domain)
        self._moves.finish_move(self._domain)
        self._move.console.say(f"The return of {self._domain} is given up.")

    def _verify_frozen(self) -> None:
        """Prove, while nobody writes, that the monolith knows what the service does."""
        ledger = VerificationReport()
        self._copy_unseen_changes(ledger)
        self._move.report_differences(ledger)
        self._fill_placeholders()
        self._move.copy_auxiliary(
            self._ends.service_records[self._domain], self._ends.monolith_records[self._domain]
        )

    def _fill_placeholders(self) -> None:
        """Have the monolith know the people and threads that what it copied refers to.

        Their services' events tell of them sooner or later. But who owns posts shows none in a
        thread that it does not know.
        """
        for domain in self._move.deployment.extracted - {self._domain}:
            rows, kept = self._ends.monolith_records[domain], self._ends.service_records[domain]
            for portion in id_batches(rows.placeholder_ids()):
                rows.update_replica(list(kept.read_many(portion).values()))

    def _copy_changes(self) -> int:
        """Copy what has changed, until little is left; answers how many things that were."""
        count = 0
        for _ in range(MAX_ROUNDS):
            looked = utc_now()
            count += self._copy_unseen_changes(None)
            self._fill_placeholders()
            self._since = looked - CLOCK_MARGIN
            if (utc_now() - looked).total_seconds() < 1:
                break
        return count

    def _copy_unseen_changes(self, ledger: VerificationReport | None) -> int:
        """Copy what changed and was not looked at before; answers how many things that were."""
        changes = self._ends.changes_since(self._domain, self._since)
        things = dict.fromkeys(thing for mark, thing in changes if mark not in self._seen)
        self._copier.copy_changed(list(things), ledger)
        self._seen = {mark for mark, _ in changes}
        return len(things)

    def _wait_until_published(self) -> None:
        deadline = time.monotonic() + PUBLISH_SECONDS
        for component in (self._domain, "monolith"):
            outbox = self._ends.outbox(component)
            while outbox.oldest_unpublished_at() is not None:
                if time.monotonic() > deadline:
                    msg = f"{component} has events that are not published; look at its worker."
                    raise ExtractionStopped(msg)
                time.sleep(0.1)

    def _save_state(self, state: str, *, until: float = 0, unless_over: bool = False) -> bool:
        components = self._standings.load().components
        components = components or frozenset({"monolith", *self._move.deployment.extracted})
        standing = OwnershipState(state, until, components)
        return self._standings.save(standing, unless_over=unless_over)
