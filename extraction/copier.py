"""Copying of records from one side of a move to the other, and verification of both sides."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from chassis.ownership.records import (
    READ_BATCH,
    TOMBSTONE,
    Record,
    RecordStore,
    differing_fields,
    id_batches,
)

PAGE_SIZE = 500
SHOWN_DIFFERENCES = 20
MAX_RECHECKS = 5
"""Attempts to copy a record that nobody changes meanwhile."""
OnProgress = Callable[[int], None]
"""Called with the number of records that were processed."""


@dataclass
class Difference:
    """A record that differs although the copy's version is as new, and its differing fields."""

    id: str
    fields: list[str]

    def __str__(self) -> str:
        return f"{self.id}: {', '.join(self.fields)}"


@dataclass
class VerificationReport:
    """The number of compared records, the sum of their versions, and the differences."""

    count: int = 0
    versions: int = 0
    behind: int = 0
    differences: list[Difference] = field(default_factory=list)
    copy_only: list[str] = field(default_factory=list)
    """The ids of records that only the copy has."""

    _counted: dict[str, int] = field(default_factory=dict)
    """The counted version of each record. The copy can't provide it: it loses the posts of a
    deleted thread, while the owner continues to count them."""

    @property
    def totals(self) -> tuple[int, int]:
        """The number of records, and the sum of their versions."""
        return self.count, self.versions

    def add(self, record: Record) -> None:
        """Count a record, or replace its earlier version in the sums."""
        known = self._counted.get(record["id"])
        self.count += known is None
        self.versions += record["version"] - (known or 0)
        self._counted[record["id"]] = record["version"]


class Copier:
    """Copier of a domain's records from the owner (source) to the next owner (target)."""

    def __init__(
        self,
        source: RecordStore,
        target: RecordStore,
        *,
        target_learns: bool = False,
        may_lack: Callable[[Record], bool] = lambda _: False,
        changed: Callable[[], Collection[str]] = tuple,
        update_references: Callable[[Sequence[Record]], None] = lambda _: None,
    ) -> None:
        """Create a copier.

        `target_learns` means that events also update the target, `may_lack` which records it may
        lack. `changed` returns the ids of recent changes: an event may have updated them in the
        target, without the fields that events don't contain. `update_references` brings what some
        records refer to up to date in the target, ahead of its events.
        """
        self._source, self._target = source, target
        self._target_learns, self._may_lack = target_learns, may_lack
        self._changed = changed
        self._update_references = update_references
        self.lacking: set[str] = set()
        """The ids of deleted records that the target lacked. An event of their creation may still
        arrive there, so they are copied once more in the end."""

    def copy(self, after: str, seen: OnProgress) -> str | None:
        """Copy one page; return the start of the next one."""
        records, following = self._source.read_page(after, PAGE_SIZE)
        self._target.write(records)
        seen(len(records))
        return following

    def copy_differing(self, after: str, seen: OnProgress) -> str | None:
        """Copy the records of one page that differ in the target."""
        records, following = self._source.read_page(after, PAGE_SIZE)
        for portion in _portions(records):
            self._target.write(
                [one for one, found in self._pairs(portion) if needs_copy(one, found)]
            )
        seen(len(records))
        return following

    def verify(self, seen: OnProgress, *, repair: bool) -> VerificationReport:
        """Compare all records by their hashes, and copy those that are out of date.

        Records that differ although the target's version is as new are reported, and replaced with
        `repair`.
        """
        report, after = VerificationReport(), ""
        while True:
            records, following = self._source.read_page(after, PAGE_SIZE)
            for portion in _portions(records):
                self._verify(portion, report, repair=repair)
            seen(len(records))
            if following is None:
                return report
            after = following

    def find_copy_only(self, report: VerificationReport, seen: OnProgress) -> None:
        """Report records that exist only in the target, without a source."""
        after: str | None = ""
        while after is not None:
            records, after = self._target.read_page(after, PAGE_SIZE)
            for portion in _portions(records):
                if extra := self._copy_only(portion):
                    # The owner deletes the posts of a deleted thread. The target hides them as
                    # soon as it knows of the deletion, whose event may still wait in a queue.
                    self._update_references(extra)
                    again = self._target.read_many([one["id"] for one in extra])
                    extra = self._copy_only(list(again.values()))
                report.copy_only += [one["id"] for one in extra]
            seen(len(records))

    def _copy_only(self, records: Sequence[Record]) -> list[Record]:
        shown = [one for one in records if TOMBSTONE not in one and not self._may_lack(one)]
        known = self._source.read_many([one["id"] for one in shown]) if shown else {}
        return [one for one in shown if one["id"] not in known]

    def copy_changed(self, ids: Sequence[str], report: VerificationReport | None = None) -> None:
        """Copy records that are known to have changed, and verify the copies.

        A record that changed without a new version, such as a password hash, replaces its copy.
        """
        for portion in id_batches(ids):
            before = self._target.read_many(portion)
            wanted = self._source.read_many(portion)
            self._put_changed(wanted, before)
            after = self._target.read_many(portion)
            for one, record in wanted.items():
                if report is not None:
                    report.add(record)
                    if fields := self._differing_fields(record, after.get(one)):
                        report.differences.append(Difference(one, fields))

    def _put_changed(self, wanted: dict[str, Record], before: dict[str, Record]) -> None:
        self._note_lacking((one, before.get(key)) for key, one in wanted.items())
        differing = [one for key, one in wanted.items() if needs_copy(one, before.get(key))]
        same = [one for one in differing if _version(before.get(one["id"])) == one["version"]]
        self._target.write([one for one in differing if one not in same])
        if same:
            self._target.write(same, force=True)

    def _differing_fields(self, record: Record, found: Record | None) -> list[str]:
        """Return the fields in which a copy differs."""
        if found is None and self._may_lack(record):
            return []
        if self._target_learns and _version(found) > record["version"]:
            return []  # an event has updated it to a later version
        return differing_fields(record, found)

    def _verify(
        self, portion: Sequence[Record], report: VerificationReport, *, repair: bool
    ) -> None:
        pairs = self._pairs(portion)
        self._note_lacking(pairs)
        for record, _ in pairs:
            report.add(record)
        wrong = [
            (record, found) for record, found in pairs if self._differing_fields(record, found)
        ]
        behind = [record for record, found in wrong if _version(found) < record["version"]]
        if behind:
            report.behind += len(behind)
            self._target.write(behind)
        for record, found in self._pairs([record for record, _ in wrong]):
            if self._differing_fields(record, found):
                self._recheck(record["id"], report, repair=repair)

    def _recheck(self, one: str, report: VerificationReport, *, repair: bool) -> None:
        """Compare a record until its copy is equal; it may change during the comparison."""
        compared: Record | None = None
        attempts = 0
        while True:
            # In this order: the owner's record is read last, so a correct copy is never newer.
            found, record = (
                self._target.read_many([one]).get(one),
                self._source.read_many([one]).get(one),
            )
            if record is None or (found is None and self._may_lack(record)):
                return
            if not (fields := differing_fields(record, found)):
                return
            # A record that users change meanwhile is no difference, however often they do.
            attempts, compared = attempts + 1 if record == compared else 1, record
            is_old = _version(found) < record["version"]
            is_incomplete = _version(found) == record["version"] and one in self._changed()
            if attempts > MAX_RECHECKS or not (is_old or is_incomplete):
                report.differences.append(Difference(one, fields))
                if repair:
                    self._target.write([record], force=True)
                return
            report.behind += 1
            self._target.write([record], force=is_incomplete)

    def _note_lacking(self, pairs: Iterable[tuple[Record, Record | None]]) -> None:
        self.lacking.update(
            record["id"] for record, found in pairs if found is None and self._may_lack(record)
        )

    def _pairs(self, records: Sequence[Record]) -> list[tuple[Record, Record | None]]:
        found = self._target.read_many([one["id"] for one in records])
        return [(one, found.get(one["id"])) for one in records]


def needs_copy(record: Record, found: Record | None) -> bool:
    """Return whether a record should replace the copy that was found."""
    return TOMBSTONE not in record and bool(differing_fields(record, found))


def _version(record: Record | None) -> int:
    return int(record["version"]) if record else 0


def _portions(records: Sequence[Record]) -> list[Sequence[Record]]:
    return [records[at : at + READ_BATCH] for at in range(0, len(records), READ_BATCH)]
