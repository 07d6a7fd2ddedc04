"""Reintegration: a domain moves back from its service to the monolith, with all later writes.

The service's events have kept the monolith's replica up to date; fields that events don't contain,
such as password hashes, are copied now.
"""

import time
from collections.abc import Sequence
from datetime import datetime

from chassis.clock import utc_now
from chassis.ownership.records import Record, id_batches
from chassis.ownership.state import OwnershipState, State
from extraction.copier import Copier, VerificationReport
from extraction.extraction import (
    CLOCK_MARGIN,
    CUTOVER_ATTEMPTS,
    DRAINED_SECONDS,
    FREEZE_SECONDS,
    Extraction,
    ExtractionStopped,
    changes,
    timestamp_now,
)
from forum.domains import DOMAINS, THREADS, USERS
from forum.ownership.state import FROZEN

IN_FLIGHT_SECONDS = 0.2  # for reads that the gateway has already sent
MAX_ROUNDS = 5
PUBLISH_SECONDS = 60  # for the service's last events


class Reintegrate:
    """The phases of a reintegration."""

    def __init__(self, move: Extraction) -> None:
        self._move = move
        self._domain = move.domain
        self._endpoints = move.deployment.endpoints
        self._transitions = self._endpoints.transitions
        self._ownership = self._endpoints.ownership(self._domain)
        self._since = utc_now() - CLOCK_MARGIN
        self._seen = set[str]()
        self._copier = Copier(
            self._endpoints.service_records[self._domain],
            self._endpoints.monolith_records[self._domain],
            target_learns=True,
            may_lack=self._may_lack,
            changed=lambda: {
                record_id
                for _, record_id in self._endpoints.changes_since(self._domain, self._since)
            },
            update_references=self._copy_threads,
        )

    def prepare(self) -> None:
        """Fence every write of the service from now on."""
        move = self._move
        if self._ownership.load().state == State.OPEN:
            self._save_state(State.FENCED)
        move.deployment.start_service(self._domain)
        if "began" not in move.progress:
            move.progress |= {"direction": move.direction, "began": timestamp_now()}
            self._transitions.begin_move(self._domain, self._domain, move.progress)

    def backfill(self) -> None:
        """Copy the records and fields that the monolith's replica lacks."""
        move = self._move
        move.progress.setdefault("changed_from", timestamp_now())
        total = self._endpoints.monolith_records[self._domain].totals()[0]
        move.copy_pages(
            self._domain,
            total,
            lambda after: self._copier.copy_differing(after, move.console.advance),
        )
        move.copy_auxiliary(
            self._endpoints.service_records[self._domain],
            self._endpoints.monolith_records[self._domain],
        )

    def catch_up(self) -> None:
        """Copy the changes made during the backfill, ahead of their events."""
        move = self._move
        self._since = move.backfill_started_at() - CLOCK_MARGIN
        count = self._copy_changes()
        move.wait_since_announced(DRAINED_SECONDS)
        move.console.say(f"Caught up with {changes(count)}.")

    def verify(self) -> None:
        """Compare all records by their hashes."""
        move = self._move
        total = self._endpoints.monolith_records[self._domain].totals()[0]
        # Events have brought recent changes to the monolith, but without fields such as a password
        # hash; those must not be reported as differences.
        self._since = move.backfill_started_at() - CLOCK_MARGIN
        self._copy_changes()
        move.report = move.verify(self._copier, total)

    def cutover(self) -> None:
        """Freeze writes for a moment, prove that nothing is missing, and change the owner."""
        move = self._move
        if move.report is None:
            self.verify()
        move.wait_since_announced(DRAINED_SECONDS)
        for _ in range(CUTOVER_ATTEMPTS):
            move.copy_auxiliary(
                self._endpoints.service_records[self._domain],
                self._endpoints.monolith_records[self._domain],
            )
            self._copy_changes()
            began_at = time.monotonic()
            if self._seal_service():
                # Point of no return: writes wait until the monolith accepts them.
                self._transitions.change_owner(
                    self._domain, "monolith", FROZEN, "soak", only_while_frozen=False
                )
                self.route()
                seconds = time.monotonic() - began_at
                move.console.say(
                    f"{self._domain} now belongs to the monolith;"
                    f" writes were frozen for {seconds:.2f} s."
                )
                return
            move.console.say(
                "The write freeze expired before the cutover; the service still owns the domain."
            )
        msg = "This machine is too busy for a short write freeze. Run this again."
        raise ExtractionStopped(msg)

    def _seal_service(self) -> bool:
        """Close the service within one write freeze; return whether the freeze lasted."""
        sealed = self._ownership.load().state == State.SEALED
        if not sealed:
            self._save_state(State.FROZEN, until=time.time() + FREEZE_SECONDS)
        try:
            self._verify_frozen()
            sealed = sealed or self._save_state(State.SEALED, only_while_frozen=True)
        finally:
            if not sealed and not (sealed := self._ownership.load().state == State.SEALED):
                self._save_state(State.FENCED)
        return sealed

    def route(self) -> None:
        """Route requests to the monolith, and only then allow writes there."""
        extracted = self._move.deployment.extracted - {self._domain}
        self._move.deployment.set_routes(extracted)
        time.sleep(IN_FLIGHT_SECONDS)
        self._save_state(State.CLOSED)
        self._transitions.unfreeze_writes(self._domain)
        self._move.announce_components(extracted)

    def soak(self) -> None:
        """Check for a while that the monolith responds, then stop the service."""
        move = self._move
        if not move.is_stopping_service:
            if self._ownership.load().state != State.CLOSED:
                self.route()
            move.soak("monolith", "gateway")
            move.deployment.start_worker(self._domain)  # an earlier attempt may have stopped it
            self._confirm_erasures()
            self._wait_until_published()
            move.empty_service()
        move.stop_service()
        move.console.say(
            f"{self._domain} is served by the monolith. The reintegration is finished."
        )

    def cancel(self) -> None:
        """Cancel the move before the cutover: the service continues as before."""
        self._save_state(State.OPEN)
        self._move.deployment.keep_service(self._domain)
        self._transitions.finish_move(self._domain)
        self._move.console.say(f"The reintegration of {self._domain} is cancelled.")

    def cancel_before_begin(self) -> None:
        """Let the service continue after a reintegration that was interrupted before it began."""
        self.cancel()

    def _verify_frozen(self) -> None:
        """Prove during the write freeze that the monolith has the same records as the service."""
        report = VerificationReport()
        self._copy_unseen_changes(report)
        self._copier.copy_changed(sorted(self._copier.lacking))
        self._move.report_differences(report)
        self._fill_placeholders()
        self._move.copy_auxiliary(
            self._endpoints.service_records[self._domain],
            self._endpoints.monolith_records[self._domain],
        )

    def _fill_placeholders(self) -> None:
        """Copy the users and threads to which copied records refer.

        Their events arrive sooner or later, but the owner of posts shows no posts of a thread that
        it does not know.
        """
        for domain in self._move.deployment.extracted - {self._domain}:
            rows = self._endpoints.monolith_records[domain]
            self._update_replica(domain, rows.placeholder_ids())

    def _copy_threads(self, posts: Sequence[Record]) -> None:
        """Copy the threads of some posts, if a service owns them."""
        if THREADS.name in self._move.deployment.extracted:
            ids = dict.fromkeys(post["thread_id"] for post in posts if "thread_id" in post)
            self._update_replica(THREADS.name, list(ids))

    def _update_replica(self, domain: str, ids: Sequence[str]) -> None:
        """Copy some records of another domain from their service, ahead of their events."""
        rows = self._endpoints.monolith_records[domain]
        items = self._endpoints.service_records[domain]
        for batch in id_batches(ids):
            rows.update_replica(list(items.read_many(batch).values()))

    def _copy_changes(self) -> int:
        """Copy changes until few are left; return the number of records."""
        count = 0
        for _ in range(MAX_ROUNDS):
            looked_at = utc_now()
            count += self._copy_unseen_changes(None)
            self._fill_placeholders()
            self._since = looked_at - CLOCK_MARGIN
            if (utc_now() - looked_at).total_seconds() < 1:
                break
        return count

    def _copy_unseen_changes(self, report: VerificationReport | None) -> int:
        """Copy changes that were not seen before; return the number of records."""
        found = self._endpoints.changes_since(self._domain, self._since)
        ids = dict.fromkeys(record_id for mark, record_id in found if mark not in self._seen)
        self._copier.copy_changed(list(ids), report)
        self._seen = {mark for mark, _ in found}
        return len(ids)

    def _confirm_erasures(self) -> None:
        """Confirm the erasures that wait for the service, since its tables are emptied.

        Nobody will apply what is left in its queue, so these erasures would never finish. At the
        monolith, not by an event: the bus stops with the last service, whatever it still holds.
        """
        owned = USERS.name not in self._move.deployment.extracted
        stores = self._endpoints.monolith_records if owned else self._endpoints.service_records
        for records in stores[USERS.name].read_auxiliary(None):
            for record in records:
                if record["kind"] != "erasure" or self._domain not in record["waiting_for"]:
                    continue
                if owned:
                    self._endpoints.confirm_erasure(record["id"], self._domain)
                else:
                    self._endpoints.acknowledge(self._domain, record["id"], record["version"])

    def _wait_until_published(self) -> None:
        """Wait for the service's last events, and for those that the monolith has recorded by then.

        While people write, the monolith always has new ones.
        """
        self._wait_for_outbox(self._domain, None)
        self._wait_for_outbox("monolith", utc_now() + CLOCK_MARGIN)

    def _wait_for_outbox(self, component: str, recorded_until: datetime | None) -> None:
        deadline = time.monotonic() + PUBLISH_SECONDS
        outbox = self._endpoints.outbox(component)
        while oldest := outbox.oldest_unpublished_at():
            if recorded_until and oldest > recorded_until:
                return
            if time.monotonic() > deadline:
                msg = f"{component} has unpublished events; check its worker."
                raise ExtractionStopped(msg)
            time.sleep(0.1)

    def _save_state(
        self, state: State, *, until: float = 0, only_while_frozen: bool = False
    ) -> bool:
        components = self._ownership.load().components
        components = components or frozenset({"monolith", *self._move.deployment.extracted})
        ownership = OwnershipState(state, until, components)
        return self._ownership.save(ownership, only_while_frozen=only_while_frozen)

    def _may_lack(self, record: Record) -> bool:
        """Return whether the monolith may lack a record that was deleted before its events."""
        domain = next(one for one in DOMAINS if one.name == self._domain)
        return domain.may_lack_deleted and bool(record.get("deleted"))
