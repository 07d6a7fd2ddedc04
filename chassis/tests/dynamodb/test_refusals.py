"""The database behind a proxy that refuses as DynamoDB on AWS does, and Dynoxide never."""

import os
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError

from chassis.dynamodb.database import Database, TransactionCanceled, connect, list_shard
from chassis.dynamodb.tables import Index, Table
from chassis.errors import Unavailable
from infra.runner.free_port import free_port
from tests.support.dynamo import Dynamo
from tests.support.refusing_dynamodb import (
    CONFLICT,
    IN_PROGRESS,
    KINDS,
    LOST_RESPONSE,
    SHORT_PAGE,
    STALE_INDEX,
    THROTTLED,
    UNPROCESSED,
    RefusingDynamoDB,
    running,
)

NOTES = Table("notes", "id", indexes=(Index("recent", "list_shard", "id"),))
PARTS = Table("parts", "note", "id")
NEW = "attribute_not_exists(id)"
SHARDS = 2
WRITERS, WRITES = 8, 25


@pytest.fixture
def seed() -> int:
    """Return the seed of the proxy's choices, which is printed with a failure."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().getrandbits(32))
    sys.stdout.write(f"SEED={seed} repeats the choices\n")
    return seed


@pytest.fixture
def proxy(dynamo: Dynamo, seed: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[RefusingDynamoDB]:
    upstream = os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
    with RefusingDynamoDB(upstream, seed, {}) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        yield server


@pytest.fixture
def database(dynamo: Dynamo, proxy: RefusingDynamoDB) -> Database:
    """Return a database behind the proxy."""
    return Database(connect(), dynamo.provision((NOTES, PARTS)))


@pytest.mark.parametrize(
    "refusals",
    [
        (CONFLICT,),
        (CONFLICT, CONFLICT),
        (LOST_RESPONSE, CONFLICT),
        (LOST_RESPONSE, IN_PROGRESS),
        (LOST_RESPONSE, IN_PROGRESS, IN_PROGRESS, IN_PROGRESS),
        (CONFLICT, LOST_RESPONSE, CONFLICT),
    ],
    ids=", ".join,
)
def test_refused_transaction_is_applied_once(database, proxy, refusals):
    proxy.plan(*refusals)
    database.transact(
        [
            database.put("notes", {"id": "n1"}, NEW),
            database.update("notes", {"id": "counter"}, "ADD hits :one", one=1),
        ]
    )
    assert database.get("notes", {"id": "n1"})
    assert database.get("notes", {"id": "counter"})["hits"] == 1
    assert proxy.struck == {kind: refusals.count(kind) for kind in refusals}


def test_refused_transaction_reports_the_condition_that_failed(database, proxy):
    database.put_item_if("notes", {"id": "n1"}, "")
    proxy.plan(CONFLICT, CONFLICT)
    with pytest.raises(TransactionCanceled) as canceled:
        database.transact([database.put("notes", {"id": "n1"}, NEW).labelled("new")])
    assert canceled.value.failed("new")
    assert proxy.struck == {CONFLICT: 2}


@pytest.mark.parametrize("second", [(), (CONFLICT,), (IN_PROGRESS,)], ids=str)
def test_conditional_put_recognizes_its_own_write(database, proxy, second):
    proxy.plan(LOST_RESPONSE, *second)
    assert database.put_item_if("notes", {"id": "n1", "by_whom": "me"}, NEW)
    assert not database.put_item_if("notes", {"id": "n1", "by_whom": "me"}, NEW)
    assert proxy.struck == {LOST_RESPONSE: 1} | dict.fromkeys(second, 1)


@pytest.mark.parametrize("second", [(), (CONFLICT,), (IN_PROGRESS,)], ids=str)
def test_conditional_update_recognizes_its_own_write(database, proxy, second):
    database.put_item_if("notes", {"id": "n1", "version": 1}, "")
    proxy.plan(LOST_RESPONSE, *second)
    assert database.update_item_if("notes", {"id": "n1"}, {"version": 2}, 1)
    assert not database.update_item_if("notes", {"id": "n1"}, {"version": 2}, 1)
    assert proxy.struck == {LOST_RESPONSE: 1} | dict.fromkeys(second, 1)


@pytest.mark.parametrize("kind", [LOST_RESPONSE, THROTTLED])
def test_unconditional_put_is_repeated(database, proxy, kind):
    proxy.plan(kind)
    assert database.put_item_if("notes", {"id": "n1"}, "")
    assert database.get("notes", {"id": "n1"}) == {"id": "n1"}
    assert proxy.struck == {kind: 1}


def test_token_with_another_content_is_refused(database):
    request = {"TransactItems": [database.put("notes", {"id": "n1"}).request]}
    database.client.transact_write_items(**request, ClientRequestToken="t" * 36)
    other = {"TransactItems": [database.put("notes", {"id": "n2"}).request]}
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        database.client.transact_write_items(**other, ClientRequestToken="t" * 36)


def test_unprocessed_keys_are_read_again(database, proxy):
    database.put_items("notes", [{"id": f"n{number}"} for number in range(9)])
    keys = [f"n{number}" for number in range(9)]
    for count in (1, 2):
        proxy.plan(UNPROCESSED)
        assert set(database.get_by_partition("notes", "id", [*keys, "none"])) == set(keys)
        assert proxy.struck == {UNPROCESSED: count}


def test_unprocessed_items_are_written_again(database, proxy):
    items = [{"id": f"n{number}"} for number in range(30)]
    proxy.plan(UNPROCESSED, UNPROCESSED)
    database.put_items("notes", items)
    assert len(database.scan("notes", None)[0]) == 30
    proxy.plan(UNPROCESSED, LOST_RESPONSE)
    database.delete_items("notes", items)
    assert database.scan("notes", None) == ([], None)
    assert proxy.struck == {UNPROCESSED: 3, LOST_RESPONSE: 1}


def test_query_continues_after_short_pages(database, proxy):
    database.put_items("parts", [{"note": "n1", "id": f"{number:02}"} for number in range(20)])
    proxy.plan(SHORT_PAGE, SHORT_PAGE, SHORT_PAGE)
    found = database.query("parts", "note = :n", limit=15, ascending=False, n="n1")
    assert [item["id"] for item in found] == [f"{number:02}" for number in range(19, 4, -1)]
    assert proxy.struck == {SHORT_PAGE: 3}


def test_scan_continues_after_short_pages(database, proxy):
    database.put_items("notes", [{"id": f"n{number}"} for number in range(20)])
    proxy.plan(SHORT_PAGE, SHORT_PAGE)
    found, last = database.scan("notes", None, limit=20)
    while last:
        more, last = database.scan("notes", last, limit=20)
        found += more
    assert sorted(item["id"] for item in found) == sorted(f"n{number}" for number in range(20))
    assert proxy.struck == {SHORT_PAGE: 2}


def test_throttled_call_is_repeated_once_and_then_unavailable(database, proxy):
    database.put_item_if("notes", {"id": "n1"}, "")
    proxy.plan(THROTTLED)
    assert database.get("notes", {"id": "n1"})
    proxy.plan(THROTTLED, THROTTLED)
    with pytest.raises(Unavailable):
        database.get("notes", {"id": "n1"})
    assert proxy.struck == {THROTTLED: 3}


def test_list_by_a_stale_index_lacks_the_newest(database, proxy):
    def newest():
        found = database.query_newest("notes", "recent", "id", shards=SHARDS, limit=5, before=None)
        return [item["id"] for item in found]

    def add(one):
        item = {"id": one, "list_shard": list_shard(one, SHARDS)}
        database.put_item_if("notes", item, "")

    add("0001")
    assert newest() == ["0001"]
    add("0003")
    proxy.rates = {STALE_INDEX: 1.0}
    assert newest() == ["0001"]
    proxy.rates = {}
    assert newest() == ["0003", "0001"]
    assert proxy.struck == {STALE_INDEX: SHARDS}


def test_all_refusals_at_once_lose_and_double_nothing(database, proxy):
    proxy.rates = dict.fromkeys(KINDS, 0.05) | {IN_PROGRESS: 0.9, THROTTLED: 0.02}
    counter = {"id": "counter"}

    def write(writer: int) -> list[str]:
        written = []
        for number in range(WRITES):
            one = f"{writer:02}{number:02}"
            item = {"id": one, "list_shard": list_shard(one, SHARDS)}
            # Two refusals in a row of a call that is repeated once: the outcome is unknown.
            with suppress(Unavailable):
                database.transact(
                    [
                        database.put("notes", item, NEW),
                        database.update("notes", counter, "ADD hits :one", one=1),
                    ]
                )
                written.append(one)
                database.query_newest("notes", "recent", "id", shards=SHARDS, limit=3, before=None)
                database.get_by_partition("notes", "id", written[-9:])
        return written

    with ThreadPoolExecutor(WRITERS) as pool:
        acknowledged = [one for found in pool.map(write, range(WRITERS)) for one in found]
    struck, proxy.rates = dict(proxy.struck), {}
    sys.stdout.write(f"{struck}\n")
    stored = {item["id"] for item in database.scan("notes", None)[0]}
    assert stored >= set(acknowledged)
    assert database.get("notes", counter)["hits"] == len(stored - {"counter"})
    assert set(struck) >= set(KINDS), "each kind has struck"


def test_proxy_in_a_process_of_its_own_counts_what_it_did(dynamo, seed, monkeypatch):
    upstream, port = os.environ["AWS_ENDPOINT_URL_DYNAMODB"], free_port()
    prefix = dynamo.provision((NOTES,))
    with running(port, upstream, seed) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)
        database = Database(connect(), prefix)
        proxy.set_rates({LOST_RESPONSE: 1.0})
        with pytest.raises(Unavailable):
            database.transact([database.put("notes", {"id": "n1"}, NEW)])
        proxy.set_rates({})
        assert database.get("notes", {"id": "n1"}), "both responses were lost, not the write"
        assert proxy.struck() == {LOST_RESPONSE: 2}
