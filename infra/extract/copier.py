"""Copying records from one end to the other, and proving that both know the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chassis.copying import GONE, READ_AT_ONCE, Copy, Record, differences, in_portions

PAGE = 500
SHOWN_DIFFERENCES = 20
Seen = Callable[[int], None]
"""Is told how many records more were dealt with."""


@dataclass
class Difference:
    """One thing of which the two ends do not know the same, though one end has as new a version."""

    id: str
    fields: list[str]

    def __str__(self) -> str:
        return f"{self.id}: {', '.join(self.fields)}"


@dataclass
class Ledger:
    """How many things were proved to be alike, the sum of their versions, and what was not."""

    count: int = 0
    versions: int = 0
    behind: int = 0
    different: list[Difference] = field(default_factory=list)
    _changed: dict[str, int] = field(default_factory=dict)

    @property
    def totals(self) -> tuple[int, int]:
        """Give the number of things and the sum of their versions."""
        return self.count, self.versions

    def add(self, record: Record) -> None:
        """Count a record for the first time."""
        self.count += 1
        self.versions += record["version"]

    def change(self, record: Record, before: Record | None) -> None:
        """Count a record of something that has changed since; `before` is what the copy had."""
        known = self._changed.get(record["id"])
        if known is None and before is not None:
            known = before["version"]
        self.count += known is None
        self.versions += record["version"] - (known or 0)
        self._changed[record["id"]] = record["version"]


class Copier:
    """Copies the records of a domain from where they are kept to where they will be."""

    def __init__(self, source: Copy, target: Copy) -> None:
        self._source, self._target = source, target

    def copy(self, after: str, seen: Seen) -> str | None:
        """Copy one page; answers where the next one begins."""
        records, following = self._source.page(after, PAGE)
        self._target.put(records)
        seen(len(records))
        return following

    def copy_differing(self, after: str, seen: Seen) -> str | None:
        """Copy of one page what the target does not know yet, which is little."""
        records, following = self._source.page(after, PAGE)
        for portion in _portions(records):
            self._target.put([one for one, found in self._pairs(portion) if differs(one, found)])
        seen(len(records))
        return following

    def verify(self, seen: Seen, *, mend: bool) -> Ledger:
        """Compare every record by its hash, and copy what the target is behind with.

        What differs although the target has as new a version is named, and with `mend` replaced.
        """
        ledger, after = Ledger(), ""
        while True:
            records, following = self._source.page(after, PAGE)
            for portion in _portions(records):
                self._verify(portion, ledger, mend=mend)
            seen(len(records))
            if following is None:
                return ledger
            after = following

    def bring_up(self, ids: Sequence[str], ledger: Ledger | None = None) -> None:
        """Copy things as they are now, and prove that both ends know the same of them."""
        for portion in in_portions(ids):
            wanted, before = self._source.read(portion), self._target.read(portion)
            self._target.put(list(wanted.values()))
            after = self._target.read(portion)
            for one, record in wanted.items():
                if ledger is not None:
                    ledger.change(record, before.get(one))
                    if fields := differences(record, after.get(one)):
                        ledger.different.append(Difference(one, fields))

    def _verify(self, portion: Sequence[Record], ledger: Ledger, *, mend: bool) -> None:
        behind = list[Record]()
        for record, found in self._pairs(portion):
            ledger.add(record)
            fields = differences(record, found)
            if not fields:
                continue
            if found is None or found["version"] < record["version"]:
                behind.append(record)
            elif found["version"] == record["version"]:
                # Looked at again: it may just have changed on its way here.
                self._look_again(record["id"], ledger, mend=mend)
        if behind:
            ledger.behind += len(behind)
            self._target.put(behind)
            for record, found in self._pairs(behind):
                if fields := differences(record, found):
                    self._look_again(record["id"], ledger, mend=mend)

    def _look_again(self, one: str, ledger: Ledger, *, mend: bool) -> None:
        record, found = self._source.read([one]).get(one), self._target.read([one]).get(one)
        if record is None or not (fields := differences(record, found)):
            return
        if found is not None and found["version"] > record["version"]:
            return  # newer by an event; the source tells of it in a moment
        ledger.different.append(Difference(one, fields))
        if mend:
            self._target.put([record], force=True)

    def _pairs(self, records: Sequence[Record]) -> list[tuple[Record, Record | None]]:
        found = self._target.read([one["id"] for one in records])
        return [(one, found.get(one["id"])) for one in records]


def differs(record: Record, found: Record | None) -> bool:
    """Tell whether a record should be copied over what was found of it."""
    return GONE not in record and bool(differences(record, found))


def _portions(records: Sequence[Record]) -> list[Sequence[Record]]:
    return [records[at : at + READ_AT_ONCE] for at in range(0, len(records), READ_AT_ONCE)]
