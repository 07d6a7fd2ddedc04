"""Deletion of expired items, on a real Dynoxide."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.dynamodb.database import Database, Item, connect
from chassis.dynamodb.tables import Table
from infra.expired_items import PAGE_SIZE, ExpiredItems
from tests.support.dynamo import Dynamo

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND = int(NOW.timestamp())
ANSWERS = Table("answers", partition="owner", sort="path", ttl_attribute="expires")
COUNTERS = Table("counters", partition="id", ttl_attribute="ends")
NOTES = Table("notes", partition="id")


@pytest.fixture
def database(dynamo: Dynamo) -> Database:
    return dynamo.database(dynamo.provision((ANSWERS, COUNTERS, NOTES)))


def expired_items(
    database: Database, tables: Sequence[Table] = (ANSWERS, COUNTERS, NOTES)
) -> ExpiredItems:
    return ExpiredItems(database.client, database.prefix, tables, lambda: NOW)


def write(database: Database, table: Table, *items: Item) -> None:
    for item in items:
        assert database.put_item_if(table.name, item, "")


def ids(database: Database, table: Table) -> set[Any]:
    return {item[table.sort or table.partition] for item in database.scan(table.name, None)[0]}


def delete_all(expired: ExpiredItems) -> int:
    """Delete pages up to the end of a pass; return their number."""
    count = 1
    while not expired.delete_page():
        count += 1
    return count


def test_expired_items_are_deleted_and_others_stay(database: Database) -> None:
    write(
        database,
        ANSWERS,
        {"owner": "a", "path": "past", "expires": SECOND - 86400},
        {"owner": "a", "path": "present", "expires": SECOND},
        {"owner": "a", "path": "future", "expires": SECOND + 1},
        {"owner": "b", "path": "never"},
        {"owner": "b", "path": "text", "expires": "2020-01-01"},
    )
    write(database, COUNTERS, {"id": "past", "ends": SECOND - 1, "expires": SECOND + 1})
    write(database, COUNTERS, {"id": "future", "ends": SECOND + 1, "expires": SECOND - 1})
    write(database, NOTES, {"id": "a note", "expires": SECOND - 1, "ends": SECOND - 1})
    assert delete_all(expired_items(database)) == 2
    assert ids(database, ANSWERS) == {"future", "never", "text"}
    assert ids(database, COUNTERS) == {"future"}
    assert ids(database, NOTES) == {"a note"}


def test_item_renewed_after_it_was_read_stays(database: Database, dynamo: Dynamo) -> None:
    write(database, COUNTERS, *({"id": name, "ends": SECOND - 1} for name in ("a", "b", "c")))

    def change(**_: object) -> None:
        """Change two of the items between the reading of the page and its first deletion."""
        client.meta.events.unregister("before-call.dynamodb.DeleteItem", change)
        write(database, COUNTERS, {"id": "a", "ends": SECOND + 1})
        database.delete_items(COUNTERS.name, [{"id": "b"}])

    client = connect()
    client.meta.events.register("before-call.dynamodb.DeleteItem", change)
    with dynamo.counted() as calls:
        delete_all(ExpiredItems(client, database.prefix, (COUNTERS,), lambda: NOW))
    client.close()
    assert calls["DeleteItem"] == 3
    assert ids(database, COUNTERS) == {"a"}


def test_page_bounds_the_work_and_the_next_one_goes_on(database: Database, dynamo: Dynamo) -> None:
    count = 2 * PAGE_SIZE + 1
    name = database.prefix + COUNTERS.name
    dynamo.fill(name, ({"id": str(n), "ends": SECOND - 1} for n in range(count)))
    write(database, ANSWERS, {"owner": "a", "path": "past", "expires": SECOND - 1})
    expired = expired_items(database, (COUNTERS, ANSWERS))
    for left in (PAGE_SIZE + 1, 1, 0):
        with dynamo.counted() as calls:
            assert not expired.delete_page()
        assert calls["Scan"] == 1
        assert calls["DeleteItem"] <= PAGE_SIZE
        assert len(ids(database, COUNTERS)) == left
    assert ids(database, ANSWERS) == {"past"}
    assert expired.delete_page()
    assert ids(database, ANSWERS) == set()
    # The next pass begins at the first table.
    write(database, COUNTERS, {"id": "later", "ends": SECOND - 1})
    assert delete_all(expired) == 2
    assert ids(database, COUNTERS) == set()


def test_page_is_repeated_after_a_failure(database: Database, dynamo: Dynamo) -> None:
    dynamo.client.delete_table(TableName=database.prefix + COUNTERS.name)
    write(database, ANSWERS, {"owner": "a", "path": "past", "expires": SECOND - 1})
    expired = expired_items(database, (COUNTERS, ANSWERS))
    for _ in range(2):
        with pytest.raises(dynamo.client.exceptions.ResourceNotFoundException):
            expired.delete_page()
    dynamo.client.create_table(**COUNTERS.create_arguments(database.prefix))
    write(database, COUNTERS, {"id": "past", "ends": SECOND - 1})
    assert delete_all(expired) == 2
    assert ids(database, COUNTERS) | ids(database, ANSWERS) == set()


def test_stage_without_tables_has_nothing_expired(database: Database) -> None:
    assert delete_all(expired_items(database, (NOTES,))) == 1
