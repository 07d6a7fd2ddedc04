"""Items of a replica: the newest version wins, and all of them can be read page by page."""

import pytest

from chassis.dynamodb.database import TransactionCanceled
from chassis.dynamodb.tables import Table
from chassis.dynamodb.versioned_items import VersionedItems

NOTES = Table("notes", "id")


@pytest.fixture
def database(dynamo):
    return dynamo.database(dynamo.provision((NOTES,)))


@pytest.fixture
def notes(database):
    return VersionedItems(database, NOTES.name, {"color": "none"})


def test_newest_version_is_stored_and_returned(notes):
    first, second = ({"id": "n1", "version": number, "text": "x" * number} for number in (1, 2))
    assert notes.store(first) == first
    assert notes.store(second) == second
    assert notes.store(first) == second
    assert notes.store(second | {"text": "same version"}) == second
    assert notes.get("n1") == second


def test_put_of_a_version_that_is_not_newer_is_canceled(notes, database):
    newer = {"id": "n1", "version": 2}
    database.transact([notes.put(newer)])
    for version in (1, 2):
        with pytest.raises(TransactionCanceled):
            database.transact([notes.put({"id": "n1", "version": version, "text": "late"})])
    assert notes.get("n1") == newer


def test_pages_contain_every_item_once_with_its_defaults(notes):
    for number in range(5):
        notes.store({"id": f"n{number}", "version": 1})
    notes.store({"id": "n5", "version": 1, "color": "red"})
    found, after, pages = [], "", 0
    while after is not None:
        items, after = notes.read_page(after, 2)
        assert len(items) <= 2
        found += items
        pages += 1
    assert sorted((item["id"], item["color"]) for item in found) == [
        *((f"n{number}", "none") for number in range(5)),
        ("n5", "red"),
    ]
    assert pages >= 3


def test_copies_of_records_are_those_that_exist(notes):
    notes.store({"id": "n1", "version": 3})
    records = [{"id": "n1", "version": 1}, {"id": "n2", "version": 1}]
    assert notes.read_copies(records) == {"n1": {"id": "n1", "version": 3, "color": "none"}}
