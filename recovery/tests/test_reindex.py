"""New derivation of the search from the titles, as after an upgrade."""

from datetime import UTC, datetime

import pytest

from chassis.clock import format_timestamp, utc_now, uuid7
from infra.runner.free_port import free_port
from recovery import reindex
from recovery.__main__ import main
from tests.support.dynamo import Dynamo
from threads.dynamodb.postings import title_keys
from threads.dynamodb.records import ThreadRecords
from threads.dynamodb.tables import TABLES

TITLES = ("Splitting the monolith", "如何设计分布式系统", "Café", "")


@pytest.fixture
def prefix(dynamo: Dynamo) -> str:
    return dynamo.provision(TABLES)


@pytest.fixture
def threads(dynamo: Dynamo, prefix: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Threads, one of them deleted, with the postings of the first revision: whole words."""
    monkeypatch.setattr(reindex, "READ_BATCH", 2)
    database = dynamo.database(prefix)
    threads = {uuid7(): title for title in TITLES}
    state = {"author_id": uuid7(), "created_at": format_timestamp(datetime.now(UTC))}
    ThreadRecords(database, utc_now).write(
        [
            {"id": one, "title": title, "version": 1, "deleted": not title, "locked": False} | state
            for one, title in threads.items()
        ]
    )
    database.delete_items("threads-words", database.scan("threads-words", None)[0])
    words = [(word, one) for one, title in threads.items() for word in title.lower().split()]
    items = [{"word": word, "thread_id": one} for word, one in [*words, ("gone", "nowhere")]]
    database.put_items("threads-words", items)
    return threads


def test_reindex_derives_all_postings_from_the_titles(
    threads: dict[str, str], dynamo: Dynamo, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for count in ("4 records", "0 records"):
        assert main(["reindex", "threads", "--prefix", prefix]) == 0
        assert f"Indexed {count} again." in capsys.readouterr().out
        found, _ = dynamo.database(prefix).scan("threads-words", None)
        assert {(item["word"], item["thread_id"]) for item in found} == {
            (key, one) for one, title in threads.items() for key in title_keys(title)
        }


def test_reindex_without_a_database_reports_the_outage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
    assert main(["reindex", "threads"]) == 1
    assert "Run this again." in capsys.readouterr().out
