"""Counts and findings of a verification, also during concurrent changes."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest

from chassis.ownership.records import TOMBSTONE, Record
from extraction import copier as copiers
from extraction.copier import Copier, Difference, VerificationReport


class Kept:
    """An in-memory record store."""

    def __init__(self, *records: Record) -> None:
        self.records = {record["id"]: record for record in records}

    def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
        found = [self.records[one] for one in sorted(self.records) if one > after][:limit]
        return found, found[-1]["id"] if len(found) == limit else None

    def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
        return {one: self.records[one] for one in ids if one in self.records}

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        for record in records:
            known = self.records.get(record["id"])
            if force or known is None or known["version"] < record["version"]:
                self.records[record["id"]] = record

    def raise_version(self, record: Record, version: int) -> bool:
        if self.records[record["id"]]["version"] != record["version"]:
            return False
        self.records[record["id"]] = self.records[record["id"]] | {"version": version}
        return True

    def read_auxiliary(self, since: datetime | None) -> Iterator[list[Record]]:
        yield []

    def write_auxiliary(self, records: Sequence[Record]) -> None:
        pass


def post(one: str, version: int = 1, body: str = "x") -> Record:
    return {"id": one, "version": version, "body": body}


def test_post_lost_with_its_thread_is_counted_once() -> None:
    owner, copy = Kept(post("a"), post("b", 3)), Kept(post("a"), post("b", 3))
    copier = Copier(owner, copy)
    ledger = copier.verify(lambda _: None, repair=False)
    assert ledger.totals == (2, 4)
    # Its thread is deleted: the owner keeps the row, an event deletes it from the copy.
    owner.records["b"] = {"id": "b", "version": 4, TOMBSTONE: True}
    del copy.records["b"]
    copier.copy_changed(["b"], ledger)
    assert (ledger.totals, ledger.differences) == ((2, 5), [])


def test_deleted_record_that_the_copy_lacked_can_be_copied_again() -> None:
    class Unknowing(Kept):
        """A record store that can't store the deletion of a record that it doesn't know."""

        def write(self, records: Sequence[Record], *, force: bool = False) -> None:
            super().write([one for one in records if one["id"] in self.records], force=force)

    gone: Record = {"id": "a", "version": 2, "deleted": True}
    owner, copy = Kept(gone), Unknowing()
    copier = Copier(owner, copy, may_lack=lambda record: bool(record.get("deleted")))
    copier.verify(lambda _: None, repair=False)
    assert copier.lacking == {"a"}
    # Now the event of its creation arrives late.
    copy.records["a"] = post("a")
    copier.copy_changed(sorted(copier.lacking))
    assert copy.records["a"] == gone


def test_change_during_verification_is_counted_and_copied() -> None:
    class Busy(Kept):
        """A record store with an edit right after a page was read."""

        def read_page(self, after: str, limit: int) -> tuple[list[Record], str | None]:
            found = super().read_page(after, limit)
            self.records["a"] = post("a", 2, "edited")
            return found

    owner, copy = Busy(post("a")), Kept()
    copier = Copier(owner, copy)
    ledger = copier.verify(lambda _: None, repair=False)
    copier.copy_changed(["a"], ledger)
    assert ledger.totals == (1, 2)
    assert copy.records["a"]["body"] == "edited"


def test_new_and_unchanged_records_are_counted_once() -> None:
    owner, copy = Kept(post("a")), Kept(post("a"))
    copier = Copier(owner, copy)
    ledger = copier.verify(lambda _: None, repair=False)
    owner.write([post("b")])
    for _ in range(2):
        copier.copy_changed(["a", "b"], ledger)
    assert ledger.totals == (2, 2)


@pytest.mark.parametrize("target_learns", [False, True])
def test_damaged_copy_is_reported_and_not_counted_as_out_of_date(target_learns: bool) -> None:
    owner, copy = Kept(post("a"), post("b", 2)), Kept(post("a", body="damaged"), post("b"))
    copier = Copier(owner, copy, target_learns=target_learns)
    report = copier.verify(lambda _: None, repair=False)
    assert (report.differences, report.behind) == ([Difference("a", ["body"])], 1)
    assert copy.records == {"a": post("a", body="damaged"), "b": post("b", 2)}


def test_record_that_only_the_copy_has_is_reported() -> None:
    gone: Record = {"id": "c", "version": 2, TOMBSTONE: True}
    owner, copy = Kept(post("a")), Kept(post("a"), post("b"), gone)
    report = VerificationReport()
    Copier(owner, copy).find_copy_only(report, lambda _: None)
    assert report.copy_only == ["b"]


def test_post_of_a_thread_whose_deletion_the_copy_does_not_know_is_not_reported() -> None:
    owner, copy = Kept(post("a")), Kept(post("a"), post("b"), post("c"))

    def update_references(posts: Sequence[Record]) -> None:
        assert [one["id"] for one in posts] == ["b", "c"]
        copy.records["b"] = {"id": "b", "version": 1, TOMBSTONE: True}

    report = VerificationReport()
    copier = Copier(owner, copy, update_references=update_references)
    copier.find_copy_only(report, lambda _: None)
    assert report.copy_only == ["c"]


class Refusing(Kept):
    """A record store that ignores what is written to it."""

    writes = 0

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        self.writes += 1


def test_copy_that_stays_out_of_date_is_reported_after_some_attempts() -> None:
    owner, copy = Kept(post("a", 2, "new")), Refusing(post("a"))
    report = Copier(owner, copy).verify(lambda _: None, repair=False)
    assert report.differences == [Difference("a", ["body", "version"])]
    assert copy.writes == 1 + copiers.MAX_RECHECKS


def test_record_that_users_change_again_and_again_is_no_difference() -> None:
    class Busy(Kept):
        """A record store with an edit before each of the first reads."""

        edits = 3 * copiers.MAX_RECHECKS

        def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
            if self.edits:
                self.edits -= 1
                self.write([post("a", self.records["a"]["version"] + 1, f"edit {self.edits}")])
            return super().read_many(ids)

    owner, copy = Busy(post("a")), Kept(post("a", body="without what events do not contain"))
    copier = Copier(owner, copy, changed=lambda: ["a"])
    report = copier.verify(lambda _: None, repair=False)
    assert (report.differences, copy.records) == ([], owner.records)
    assert not owner.edits


def deleted(one: str, version: int = 2) -> Record:
    return {"id": one, "version": version, "deleted": True}


def is_deleted(record: Record) -> bool:
    return "deleted" in record


class Recording(Kept):
    """A record store that remembers what is written to it."""

    def __init__(self, *records: Record) -> None:
        super().__init__(*records)
        self.written: list[tuple[list[str], bool]] = []

    def write(self, records: Sequence[Record], *, force: bool = False) -> None:
        super().write(records, force=force)
        self.written.append(([one["id"] for one in records], force))


def test_pages_are_copied_one_by_one_with_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copiers, "PAGE_SIZE", 3)
    owner, copy = Kept(*map(post, "abcde")), Recording()
    seen = list[int]()
    copier = Copier(owner, copy)
    assert copier.copy("", seen.append) == "c"
    assert copier.copy("c", seen.append) is None
    assert (copy.records, seen) == (owner.records, [3, 2])
    assert copy.written == [(["a", "b", "c"], False), (["d", "e"], False)]


def test_only_differing_records_of_a_page_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copiers, "READ_BATCH", 2)
    gone: Record = {"id": "c", "version": 2, TOMBSTONE: True}
    owner, copy = Kept(post("a"), post("b"), gone, post("d", 2)), Recording(post("a"), post("d"))
    seen = list[int]()
    assert Copier(owner, copy).copy_differing("", seen.append) is None
    assert copy.written == [(["b"], False), (["d"], False)]
    assert seen == [4]


def test_records_of_all_pages_are_verified_with_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copiers, "PAGE_SIZE", 3)
    monkeypatch.setattr(copiers, "READ_BATCH", 2)
    owner, copy = Kept(*map(post, "abcde")), Kept(*map(post, "bd"), *map(post, "xyz"))
    seen = list[int]()
    copier = Copier(owner, copy)
    report = copier.verify(seen.append, repair=False)
    assert (report.totals, report.behind, report.differences, seen) == ((5, 5), 3, [], [3, 2])
    assert copy.records == owner.records | Kept(*map(post, "xyz")).records
    copier.find_copy_only(report, seen.append)
    assert (report.copy_only, seen) == (["x", "y", "z"], [3, 2, 3, 3, 2])


def test_changed_record_of_the_same_version_replaces_its_copy_but_no_newer_one() -> None:
    owner = Kept(post("a", body="changed"), post("b"), post("c"), post("d", 2))
    copy = Recording(post("a"), post("b", 2, "by an event"), post("c"), post("d"))
    report = VerificationReport()
    Copier(owner, copy, target_learns=True).copy_changed(["a", "b", "c", "d"], report)
    assert copy.written == [(["b", "d"], False), (["a"], True)]
    assert copy.records == owner.records | {"b": post("b", 2, "by an event")}
    assert (report.totals, report.differences) == ((4, 5), [])


def test_changed_records_that_are_equal_are_not_replaced() -> None:
    copy = Recording(post("a"))
    Copier(Kept(post("a")), copy).copy_changed(["a"])
    assert copy.written == [([], False)]


def test_changed_record_whose_copy_stays_different_is_reported() -> None:
    report = VerificationReport()
    Copier(Kept(post("a", 2)), Refusing(post("a"))).copy_changed(["a"], report)
    assert [str(one) for one in report.differences] == ["a: version"]


def test_newer_copy_is_a_difference_unless_events_update_it() -> None:
    report = Copier(Kept(post("a")), Kept(post("a", 2))).verify(lambda _: None, repair=False)
    assert report.differences == [Difference("a", ["version"])]
    learning = Copier(Kept(post("a")), Kept(post("a", 2)), target_learns=True)
    assert learning.verify(lambda _: None, repair=False).differences == []


def test_damaged_copy_is_replaced_by_a_repair() -> None:
    owner, copy = Kept(post("a")), Kept(post("a", body="damaged"))
    report = Copier(owner, copy).verify(lambda _: None, repair=True)
    assert report.differences == [Difference("a", ["body"])]
    assert copy.records == owner.records


def test_copy_that_an_event_updated_in_part_is_completed() -> None:
    owner, copy = Kept(post("a")), Kept({"id": "a", "version": 1})
    copier = Copier(owner, copy, changed=lambda: ["a"])
    report = copier.verify(lambda _: None, repair=False)
    assert (report.differences, report.behind, copy.records) == ([], 1, owner.records)


def test_record_that_the_copy_may_lack_is_neither_missing_nor_copied() -> None:
    owner, copy = Kept(deleted("a"), post("b")), Kept()
    copier = Copier(owner, copy, may_lack=is_deleted)
    report = copier.verify(lambda _: None, repair=False)
    assert (report.behind, report.differences, copier.lacking) == (1, [], {"a"})
    assert copy.records == {"b": post("b")}


def test_changed_record_that_the_copy_lacked_is_remembered() -> None:
    copier = Copier(Kept(deleted("a"), post("b")), Kept(), may_lack=is_deleted)
    copier.copy_changed(["a", "b"])
    assert copier.lacking == {"a"}


def test_record_that_the_copy_may_lack_and_has_is_compared() -> None:
    owner = Kept(deleted("a"), deleted("b"))
    copy = Kept(post("a"), {**deleted("b"), "body": "left"})
    copier = Copier(owner, copy, may_lack=is_deleted)
    report = copier.verify(lambda _: None, repair=False)
    assert (report.behind, report.differences) == (1, [Difference("b", ["body"])])
    assert (copy.records["a"], copier.lacking) == (deleted("a"), set())


def test_record_that_the_copy_loses_during_its_comparison_is_no_difference() -> None:
    class Losing(Kept):
        """A record store in which an event deletes a record after its second reading."""

        reads = 0

        def read_many(self, ids: Sequence[str]) -> dict[str, Record]:
            self.reads += 1
            if self.reads > 2:
                self.records.clear()
            return super().read_many(ids)

    copy = Losing({**deleted("a"), "body": "left"})
    copier = Copier(Kept(deleted("a")), copy, may_lack=is_deleted)
    report = copier.verify(lambda _: None, repair=True)
    assert (report.differences, report.behind, copy.records) == ([], 0, {})


def test_deleted_record_that_only_the_copy_has_is_not_reported() -> None:
    report = VerificationReport()
    copier = Copier(Kept(), Kept(deleted("a"), post("b")), may_lack=is_deleted)
    copier.find_copy_only(report, lambda _: None)
    assert report.copy_only == ["b"]
