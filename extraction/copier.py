"""Copying records from one end to the other, and proving that both know the same."""

import time
from collections.abc import Callable, Collection, Sequence
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
COPY_ONLY_SECONDS = 30.0
"""So many seconds may pass until an event tells that something was deleted."""
OnProgress = Callable[[int], None]
"""Is told how many records more were dealt with."""


@dataclass
class Difference:
    """One thing of which the two ends do not know the same, though one end has as new a version."""

    id: str
    fields: list[str]

    def __str__(self) -> str:
        return f"{self.id}: {', '.join(self.fields)}"


@dataclass
class VerificationReport:
    """How many things were proved to be alike, the sum of their versions, and what was not."""

    count: int = 0
    versions: int = 0
    behind: int = 0
    differences: list[Difference] = field(default_factory=list)
    copy_only: list[str] = field(default_factory=list)
    """The ids of what only the copy knows."""

    _counted: dict[str, int] = field(default_factory=dict)
    """The version of each thing that is in the sums. What the copy has tells nothing of that: it
    loses the posts of a deleted thread, while their owner goes on counting them."""

    @property
    def totals(self) -> tuple[int, int]:
        """Give the number of things and the sum of their versions."""
        return self.count, self.versions

    def add(self, record: Record) -> None:
        """Count a record as it is now, for the first time or instead of what it was."""
        known = self._counted.get(record["id"])
        self.count += known is None
        self.versions += record["version"] - (known or 0)
        self._counted[record["id"]] = record["version"]


class Copier:
    """Copies the records of a domain from where they are kept to where they will be."""

    def __init__(
        self,
        source: RecordStore,
        target: RecordStore,
        *,
        target_learns: bool = False,
        may_lack: Callable[[Record], bool] = lambda _: False,
        changed: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Take whether events keep the target too, and which records it may lack.

        `changed` names the things that changed lately: of them an event may have brought the new
        version, without what no event tells.
        """
        self._source, self._target = source, target
        self._target_learns, self._may_lack = target_learns, may_lack
        self._changed = changed

    def copy(self, after: str, seen: OnProgress) -> str | None:
        """Copy one page; answers where the next one begins."""
        records, following = self._source.read_page(after, PAGE_SIZE)
        self._target.write(records)
        seen(len(records))
        return following

    def copy_differing(self, after: str, seen: OnProgress) -> str | None:
        """Copy of one page what the target does not know yet, which is little."""
        records, following = self._source.read_page(after, PAGE_SIZE)
        for portion in _portions(records):
            self._target.write(
                [one for one, found in self._pairs(portion) if needs_copy(one, found)]
            )
        seen(len(records))
        return following

    def verify(self, seen: OnProgress, *, repair: bool) -> VerificationReport:
        """Compare every record by its hash, and copy what the target is behind with.

        What differs although the target has as new a version is named, and with `repair` replaced.
        """
        ledger, after = VerificationReport(), ""
        while True:
            records, following = self._source.read_page(after, PAGE_SIZE)
            for portion in _portions(records):
                self._verify(portion, ledger, repair=repair)
            seen(len(records))
            if following is None:
                return ledger
            after = following

    def find_copy_only(self, ledger: VerificationReport, seen: OnProgress) -> None:
        """Name what only the target knows: nobody has written that."""
        after: str | None = ""
        while after is not None:
            records, after = self._target.read_page(after, PAGE_SIZE)
            shown = [one for one in records if TOMBSTONE not in one and not self._may_lack(one)]
            for portion in _portions(shown):
                known = self._source.read_many([one["id"] for one in portion])
                ledger.copy_only += [one["id"] for one in portion if one["id"] not in known]
            seen(len(records))
        deadline = time.monotonic() + COPY_ONLY_SECONDS
        # Looked at again: what is deleted goes from its owner first, and from the copy by an event.
        while ledger.copy_only and time.monotonic() < deadline:
            time.sleep(0.5)
            ledger.copy_only = [one for one in ledger.copy_only if self._is_extra(one)]

    def _is_extra(self, one: str) -> bool:
        found = self._target.read_many([one]).get(one)
        gone = found is None or TOMBSTONE in found or self._may_lack(found)
        return not gone and one not in self._source.read_many([one])

    def copy_changed(self, ids: Sequence[str], ledger: VerificationReport | None = None) -> None:
        """Copy things as they are now, and prove that both ends know the same of them.

        They are known to have changed. What changed without a new version, such as a password, is
        written over the copy.
        """
        for portion in id_batches(ids):
            before = self._target.read_many(portion)
            wanted = self._source.read_many(portion)
            self._put_changed(wanted, before)
            after = self._target.read_many(portion)
            for one, record in wanted.items():
                if ledger is not None:
                    ledger.add(record)
                    if fields := self._differing_fields(record, after.get(one)):
                        ledger.differences.append(Difference(one, fields))

    def _put_changed(self, wanted: dict[str, Record], before: dict[str, Record]) -> None:
        differing = [one for key, one in wanted.items() if needs_copy(one, before.get(key))]
        same = [one for one in differing if _version(before.get(one["id"])) == one["version"]]
        self._target.write([one for one in differing if one not in same])
        if same:
            self._target.write(same, force=True)

    def _differing_fields(self, record: Record, found: Record | None) -> list[str]:
        """Name the fields in which a copy is not as it should be."""
        if found is None and self._may_lack(record):
            return []
        if self._target_learns and _version(found) > record["version"]:
            return []  # it has heard of what came since
        return differing_fields(record, found)

    def _verify(
        self, portion: Sequence[Record], ledger: VerificationReport, *, repair: bool
    ) -> None:
        pairs = self._pairs(portion)
        for record, _ in pairs:
            ledger.add(record)
        wrong = [
            (record, found) for record, found in pairs if self._differing_fields(record, found)
        ]
        behind = [record for record, found in wrong if _version(found) < record["version"]]
        if behind:
            ledger.behind += len(behind)
            self._target.write(behind)
        for record, found in self._pairs([record for record, _ in wrong]):
            if self._differing_fields(record, found):
                self._recheck(record["id"], ledger, repair=repair)

    def _recheck(self, one: str, ledger: VerificationReport, *, repair: bool) -> None:
        """Look at a thing until its copy is alike; it may have changed while it was looked at."""
        for _ in range(MAX_RECHECKS):
            # In this order: what is read last is the owner's, so the copy is never rightly newer.
            found, record = (
                self._target.read_many([one]).get(one),
                self._source.read_many([one]).get(one),
            )
            if record is None or (found is None and self._may_lack(record)):
                return
            if not (fields := differing_fields(record, found)):
                return
            if _version(found) == record["version"] and one in self._changed():
                ledger.behind += 1
                self._target.write([record], force=True)
                continue
            if _version(found) >= record["version"]:
                ledger.differences.append(Difference(one, fields))
                if repair:
                    self._target.write([record], force=True)
                return
            ledger.behind += 1
            self._target.write([record])
        ledger.differences.append(Difference(one, ["changes all the time"]))

    def _pairs(self, records: Sequence[Record]) -> list[tuple[Record, Record | None]]:
        found = self._target.read_many([one["id"] for one in records])
        return [(one, found.get(one["id"])) for one in records]


def needs_copy(record: Record, found: Record | None) -> bool:
    """Tell whether a record should be copied over what was found of it."""
    return TOMBSTONE not in record and bool(differing_fields(record, found))


def _version(record: Record | None) -> int:
    return int(record["version"]) if record else 0


def _portions(records: Sequence[Record]) -> list[Sequence[Record]]:
    return [records[at : at + READ_BATCH] for at in range(0, len(records), READ_BATCH)]
