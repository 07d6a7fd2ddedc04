"""Comparison of every copy of a record with its owner's, and repair of those that differ.

The owner's record is right, with two exceptions, which only a restore can cause: nobody who was
erased comes back, and no version that others have seen is used again. Where a copy is newer than
its record, the record gets a later version than the copy.

People may write in the meantime: a copy that is behind gets the time that its event may take, and
every repair has the condition that the record was not changed since it was read.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chassis.clock import utc_now
from chassis.ownership.records import TOMBSTONE, Record, RecordStore
from chassis.ownership.state import cutover_in_progress
from extraction.endpoints import Endpoints
from forum.posts.records import PostRecords
from infra import stages
from infra.stages import MONOLITH
from recovery.holders import Holder, deleted, find_holders
from recovery.index_checks import find_index_checks
from threads.dynamodb.post_counter import PostCounter

SETTLE_ROUNDS = 4
"""Number of times that a wrong copy is read again: the event of a change may be on its way."""
SETTLE_SECONDS = 5.0  # before each of them
ATTEMPTS = 10
PAGE_SIZE = 100
RESTORED = 1_000_000
"""Added to the versions of restored records: more than a record may have changed since its backup.

Others have seen the versions that the restore takes back, and took them for another content.
"""


@dataclass(frozen=True)
class Difference:
    """A copy that differs from its owner's record: what is wrong with it, at which component."""

    domain: str
    id: str
    component: str
    problem: str

    def __str__(self) -> str:
        return f"{self.domain} {self.id} at {self.component}: {self.problem}"


@dataclass(frozen=True)
class _Compared:
    """A record with its copies, by component, and how they differ; None is an unknown record."""

    suspect: Record
    record: Record | None
    copies: dict[str, Record]
    differences: list[Difference]


@dataclass
class Report:
    """The differences that were found; `compared` is the number of records, by domain."""

    compared: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    def add(self, domain: str, component: str, problems: Mapping[str, str]) -> None:
        """Add what differs at a component, by the record's id, as far as it is not known."""
        found = [Difference(domain, one, component, problem) for one, problem in problems.items()]
        self.differences += [one for one in found if one not in self.differences]


@dataclass
class Reconciliation:
    """One comparison of a forum at a stage; with `repair`, differing copies are repaired."""

    endpoints: Endpoints
    extracted: frozenset[str]
    repair: bool = False
    pause: Callable[[float], None] = time.sleep

    def run(self) -> Report:
        """Compare all domains, each before those that refer to it.

        Raises:
            CutoverInProgress: a domain is being moved; its copies differ until it has moved.
        """
        moving = [
            domain
            for domain, status in self.endpoints.transitions.load_all().items()
            if status.state != "settled"
        ]
        if moving:
            raise cutover_in_progress()
        report = Report()
        # First: a record that its owner does not find would be taken for a lost one.
        for domain in stages.DOMAINS:
            self._check_indexes(domain, report, of_owner=True)
        for domain in stages.DOMAINS:
            self._compare(domain, report)
        # Last: a copy that is replaced gets the entries of its record.
        for domain in stages.DOMAINS:
            self._check_indexes(domain, report, of_owner=False)
        self._recount(report)
        self._compare_erasures(report)
        return report

    def _check_indexes(self, domain: str, report: Report, *, of_owner: bool) -> None:
        """Compare derived entries with their records, in both directions."""
        owner = domain if domain in self.extracted else MONOLITH
        for component, check in find_index_checks(self.endpoints, domain, self.extracted):
            if (component == owner) is not of_owner:
                continue
            for records in _pages(self._owner(domain)):
                problems = check.check_records(records, repair=self.repair)
                report.add(domain, component, problems)
            after: str | None = ""
            while after is not None:
                problems, after = check.check_entries(after, PAGE_SIZE, repair=self.repair)
                report.add(domain, component, problems)

    def _compare(self, domain: str, report: Report) -> None:
        owner = self._owner(domain)
        holders = find_holders(self.endpoints, domain, self.extracted)
        suspects = dict[str, Record]()
        report.compared[domain] = 0
        for records in _pages(owner):
            report.compared[domain] += len(records)
            for holder in holders:
                suspects |= _differing(holder, records)
        for holder in holders:
            # In this order: a copy that is read before its record is never newer than the record.
            for copies in _pages(holder):
                known = owner.read_many([copy["id"] for copy in copies])
                suspects |= {
                    copy["id"]: copy
                    for copy in copies
                    if TOMBSTONE not in copy and _is_ahead(copy, known.get(copy["id"]))
                }
        for _ in range(SETTLE_ROUNDS):
            if not suspects:
                return
            self.pause(SETTLE_SECONDS)
            wrong = _read_again(domain, owner, holders, list(suspects.values()))
            suspects = {one.suspect["id"]: one.suspect for one in wrong}
        for suspect in suspects.values():
            self._examine(domain, owner, holders, suspect, report)

    def _examine(
        self,
        domain: str,
        owner: RecordStore,
        holders: Sequence[Holder],
        suspect: Record,
        report: Report,
    ) -> None:
        one = suspect["id"]
        found: list[Difference] = []
        for attempt in range(ATTEMPTS):
            compared = next(_read_again(domain, owner, holders, [suspect]), None)
            if compared is None:
                break
            found = found or compared.differences
            record, copies = compared.record, compared.copies
            if not self.repair:
                break
            if record is None:
                self._forget(domain, owner, holders, copies)
                break
            # A copy that only lacks something accepts the version that it has.
            accepted = attempt == 0 and _newest(copies) <= record["version"]
            if accepted or self._make_newest(domain, owner, record, copies):
                newest = owner.read_many([one]).get(one)
                for holder in holders:
                    if newest is not None and TOMBSTONE not in newest:
                        holder.repair(newest)
        report.differences += found

    def _make_newest(
        self, domain: str, owner: RecordStore, record: Record, copies: dict[str, Record]
    ) -> bool:
        """Raise a record's version above those of its copies, so that they accept it.

        Return False if it changed since it was read.
        """
        newest = _newest(copies)
        if newest < record["version"]:
            return True
        if domain == "users" and not record["erased"]:
            if any(copy["erased"] for copy in copies.values()):
                # The erasure was lost. What it promised holds: it is done again.
                owner.write([deleted(domain, {"id": record["id"], "version": newest})])
                return True
            if newest > record["version"]:
                # The end of a session may have been lost with what is newer.
                record = record | {"sessions_valid_from": newest + 1}
        return owner.raise_version(record, newest + 1)

    def _forget(
        self,
        domain: str,
        owner: RecordStore,
        holders: Sequence[Holder],
        copies: dict[str, Record],
    ) -> None:
        """Delete the copies of a record that its owner has lost."""
        newest = {"version": _newest(copies)}
        if domain == "users":
            # First: others confirm that they forgot the user.
            owner.write([deleted(domain, next(iter(copies.values())) | newest)])
        for holder in holders:
            if copy := copies.get(holder.component):
                holder.remove(copy | newest)

    def _recount(self, report: Report) -> None:
        """Compare the counts of posts with what was counted."""
        for records in _pages(self._owner("threads")):
            live = [record["id"] for record in records if not record["deleted"]]
            for component, counter in self._counters():
                report.add("threads", component, counter.recount(live, repair=self.repair))

    def _counters(self) -> Iterator[tuple[str, PostCounter | PostRecords]]:
        if "threads" in self.extracted:
            yield "threads", PostCounter(self.endpoints.dynamo, utc_now)
        yield MONOLITH, PostRecords.for_move(self.endpoints.sql, utc_now)

    def _compare_erasures(self, report: Report) -> None:
        """Find erasures that wait for a component which has forgotten the user."""
        waiting = self._unfinished_erasures()
        if not waiting:
            return
        self.pause(SETTLE_SECONDS)
        forgotten = [
            (holder, one)
            for holder in find_holders(self.endpoints, "users", self.extracted)
            for one in waiting
            if (copy := holder.read_copies([{"id": one}]).get(one)) and copy["erased"]
        ]
        # In this order: a confirmation may have arrived while the copies were read.
        waiting = self._unfinished_erasures()
        for holder, one in forgotten:
            if one not in waiting or holder.component not in waiting[one]["waiting_for"]:
                continue
            problem = "it has forgotten the user, but the owner does not know"
            report.differences.append(Difference("users", one, holder.component, problem))
            if self.repair:
                holder.confirm_erasure(one, waiting[one]["version"])

    def _unfinished_erasures(self) -> dict[str, Record]:
        return {
            record["id"]: record
            for records in self._owner("users").read_auxiliary(utc_now())
            for record in records
            if record["kind"] == "erasure" and not record["finished_at"]
        }

    def _owner(self, domain: str) -> RecordStore:
        return self.endpoints.owner_records(domain, self.extracted)


def raise_versions(owner: RecordStore) -> int:
    """Raise the versions of a domain's restored records; return their number.

    Nobody may write meanwhile.
    """
    count = 0
    for records in _pages(owner):
        for record in records:
            if TOMBSTONE not in record and not _is_gone(record):
                version = record["version"] + RESTORED
                raised = record
                if record.get("erased") is False:
                    raised = record | {"sessions_valid_from": version}
                count += owner.raise_version(raised, version)
    return count


def _newest(copies: dict[str, Record]) -> int:
    return max((int(copy["version"]) for copy in copies.values()), default=0)


def _pages(store: Any) -> Iterator[list[Record]]:
    after: str | None = ""
    while after is not None:
        records, after = store.read_page(after, PAGE_SIZE)
        yield records


def _differing(holder: Holder, records: Sequence[Record]) -> dict[str, Record]:
    shown = [record for record in records if TOMBSTONE not in record]
    copies = holder.read_copies(shown)
    return {
        record["id"]: record
        for record in shown
        if _problem(holder, record, copies.get(record["id"]))
    }


def _read_again(
    domain: str, owner: RecordStore, holders: Sequence[Holder], suspects: Sequence[Record]
) -> Iterator[_Compared]:
    """Read records with their copies, and yield those of which a copy is wrong."""
    for first in range(0, len(suspects), PAGE_SIZE):
        portion = suspects[first : first + PAGE_SIZE]
        # In this order: a copy that is read before its record is never newer than the record.
        found = {holder.component: holder.read_copies(portion) for holder in holders}
        known = owner.read_many([suspect["id"] for suspect in portion])
        for suspect in portion:
            one = suspect["id"]
            copies = {
                component: copies[one]
                for component, copies in found.items()
                if one in copies and TOMBSTONE not in copies[one]
            }
            record = known.get(one)
            if wrong := _problems(domain, one, record, copies, holders):
                yield _Compared(suspect, record, copies, wrong)


def _problems(
    domain: str,
    one: str,
    record: Record | None,
    copies: dict[str, Record],
    holders: Sequence[Holder],
) -> list[Difference]:
    if record is not None and TOMBSTONE in record:
        return []
    found = []
    for holder in holders:
        copy = copies.get(holder.component)
        if record is not None:
            problem = _problem(holder, record, copy)
        elif copy is None or _is_gone(copy):
            problem = ""
        else:
            problem = "its owner does not know it"
        if problem:
            found.append(Difference(domain, one, holder.component, problem))
    return found


def _problem(holder: Holder, record: Record, copy: Record | None) -> str:
    """Return what is wrong with a copy; empty if nothing is."""
    if copy is None:
        return "" if holder.may_lack_deleted and _is_gone(record) else "missing"
    if TOMBSTONE in copy or (_is_gone(record) and _is_gone(copy)):
        return ""
    if fields := _fields(holder.project(record), copy):
        if copy["version"] == record["version"]:
            return f"differs in {', '.join(fields)}"
        return f"has version {copy['version']} instead of {record['version']}"
    return ""


def _fields(wanted: Record, copy: Record) -> list[str]:
    return sorted(name for name, value in wanted.items() if copy.get(name) != value)


def _is_ahead(copy: Record, record: Record | None) -> bool:
    if record is None:
        return not _is_gone(copy)
    if TOMBSTONE in record or (_is_gone(record) and _is_gone(copy)):
        return False
    return bool(copy["version"] > record["version"])


def _is_gone(record: Record) -> bool:
    return bool(record.get("erased") or record.get("deleted"))
