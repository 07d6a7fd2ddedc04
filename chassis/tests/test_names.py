"""The replica of names: the latest version wins, and a usual write does not repeat it."""

from collections import Counter

import pytest

from chassis import names
from chassis.names import Names
from chassis.tables import Table

NAMES = Table("names", "id")


@pytest.fixture
def database(dynamo):
    return dynamo.database(dynamo.provision((NAMES,)))


def test_the_latest_version_of_a_name_wins_whatever_comes_last(database):
    mine, elsewhere = Names(database, "names"), Names(database, "names")
    assert mine.keep("ada", "Ada", 1) == "Ada"
    assert elsewhere.keep("ada", "Ada Lovelace", 3) == "Ada Lovelace"
    assert mine.keep("ada", "Ada King", 2) == "Ada Lovelace"
    assert Names(database, "names").keep("ada", "Ada", 1) == "Ada Lovelace"
    assert mine.of(["ada", "bob"]) == {"ada": "Ada Lovelace"}


def test_a_name_that_is_known_to_be_kept_costs_no_call(database, dynamo):
    kept = Names(database, "names")
    with dynamo.counted() as first:
        kept.keep("ada", "Ada", 1)
    with dynamo.counted() as again:
        kept.keep("ada", "Ada", 1)
    assert (first, again) == ({"PutItem": 1}, Counter())


def test_what_a_process_remembers_has_an_end(database, dynamo, monkeypatch):
    monkeypatch.setattr(names, "REMEMBERED", 2)
    kept = Names(database, "names")
    for name in ("ada", "bob", "cyd"):
        kept.keep(name, name.title(), 1)
    with dynamo.counted() as calls:
        assert kept.keep("ada", "Ada", 1) == "Ada"
    assert calls == {"PutItem": 1, "GetItem": 1}
