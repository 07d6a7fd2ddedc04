"""The database: transactions are atomic under races, and conflicts are retried."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from threading import Barrier

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chassis.client.service_client import READ_TIMEOUT
from chassis.dynamodb import database as dynamodb
from chassis.dynamodb.database import Database, TransactionCanceled, connect, list_shard
from chassis.dynamodb.tables import Index, Table, create_tables
from chassis.errors import Unavailable
from infra.runner.free_port import free_port
from tests.support.dynamo import PRODUCT_PATIENCE, Dynamo
from tests.support.servers import Server, reply

RACERS = 50
SHARDS = 3
NOTES = Table(
    "notes", "id", indexes=(Index("recent", "list_shard", "id"),), ttl_attribute="expires"
)
PARTS = Table("parts", "note", "id")


@pytest.fixture
def database(dynamo: Dynamo) -> Database:
    return dynamo.database(dynamo.provision((NOTES, PARTS)))


class Script(Server):
    """Server for DynamoDB's protocol with scripted responses, which emulators don't support."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.answers: list[tuple[int, dict]] = []
        self.asked: list[str] = []
        self.bodies: list[dict] = []

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.asked.append(request.headers["X-Amz-Target"].partition(".")[2])
        self.bodies.append(json.loads(body))
        status, content = self.answers.pop(0) if self.answers else (200, {})
        reply(request, status, json.dumps(content).encode())


@pytest.fixture
def scripted(dynamo: Dynamo, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    with Script() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        yield server


@pytest.fixture
def scripted_database(scripted: Script) -> Database:
    """A database behind the scripted server."""
    return Database(connect(), "")


def cancelled(*reasons: str) -> tuple[int, dict]:
    kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
    return 400, {"__type": kind, "CancellationReasons": [{"Code": reason} for reason in reasons]}


def test_item_comes_back_as_it_was_written(database):
    item = {"id": "n1", "text": "ä\n", "count": 3, "done": True, "none": None, "in": {"a": [1, ""]}}
    database.transact([database.put("notes", item)])
    assert database.get("notes", {"id": "n1"}) == item
    assert database.get("notes", {"id": "n2"}) is None


def test_all_actions_are_applied_or_none(database):
    database.transact([database.put("notes", {"id": "n1", "version": 1})])
    with pytest.raises(TransactionCanceled) as refusal:
        database.transact(
            [
                database.put("notes", {"id": "n2"}, "attribute_not_exists(id)").labelled("new"),
                database.delete("notes", {"id": "n1"}, "version = :v", v=2).labelled("old"),
            ]
        )
    assert [refusal.value.failed(label) for label in ("new", "old")] == [False, True]
    assert database.get("notes", {"id": "n1"})
    assert database.get("notes", {"id": "n2"}) is None


def test_invalid_transaction_is_an_error_and_not_a_refusal(database):
    large = database.put("notes", {"id": "n1", "text": "x" * 500_000})
    with pytest.raises(ClientError):
        database.transact([large, database.put("notes", {"id": "n2"}, "attribute_not_exists(id)")])
    assert database.get("notes", {"id": "n2"}) is None


def test_racing_transactions_are_all_applied(database):
    database.transact([database.put("notes", {"id": "counter", "hits": 0})])
    start = Barrier(RACERS)

    def hit(number: int) -> None:
        start.wait(30)
        database.transact(
            [
                database.put("notes", {"id": f"n{number}"}, "attribute_not_exists(id)"),
                database.update("notes", {"id": "counter"}, "ADD hits :one", one=1),
            ]
        )

    with ThreadPoolExecutor(RACERS) as pool:
        list(pool.map(hit, range(RACERS)))
    assert database.get("notes", {"id": "counter"}) == {"id": "counter", "hits": RACERS}


def test_one_of_many_racing_claims_wins(database):
    start = Barrier(RACERS)

    def claim(number: int) -> bool:
        start.wait(30)
        free = "attribute_not_exists(id)"
        try:
            database.transact(
                [
                    database.put("notes", {"id": f"by-{number}"}),
                    database.put("notes", {"id": "claimed", "by_whom": number}, free).labelled(
                        "claim"
                    ),
                ]
            )
        except TransactionCanceled as refusal:
            return not refusal.failed("claim")
        return True

    with ThreadPoolExecutor(RACERS) as pool:
        won = list(pool.map(claim, range(RACERS)))
    assert won.count(True) == 1
    winner = won.index(True)
    assert database.get("notes", {"id": "claimed"}) == {"id": "claimed", "by_whom": winner}
    assert [n for n in range(RACERS) if database.get("notes", {"id": f"by-{n}"})] == [winner]


@pytest.mark.parametrize(
    "reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
)
def test_busy_item_is_retried(scripted_database, scripted, reason):
    scripted.answers = [cancelled("None", reason), cancelled(reason, "None"), (200, {})]
    scripted_database.transact(
        [scripted_database.put("notes", {"id": "n1"}), scripted_database.put("notes", {"id": "n2"})]
    )
    assert scripted.asked == ["TransactWriteItems"] * 3
    first, second, third = scripted.bodies
    assert first == second == third, "DynamoDB refuses another content with the same token"
    assert first["ClientRequestToken"]


def test_each_transaction_has_a_token_of_its_own(scripted_database, scripted):
    for _ in range(2):
        scripted_database.transact([scripted_database.put("notes", {"id": "n1"})])
    first, second = (body["ClientRequestToken"] for body in scripted.bodies)
    assert first != second


def test_item_that_stays_busy_is_unavailable(scripted_database, scripted, monkeypatch):
    monkeypatch.setattr(dynamodb.random, "uniform", lambda low, high: 0)
    scripted.answers = [cancelled("TransactionConflict")] * 20
    with pytest.raises(Unavailable):
        scripted_database.transact([scripted_database.put("notes", {"id": "n1"})])
    assert len(scripted.asked) == 8


def test_failed_condition_is_reported_even_with_a_busy_item(scripted_database, scripted):
    scripted.answers = [cancelled("TransactionConflict", "ConditionalCheckFailed")]
    with pytest.raises(TransactionCanceled) as refusal:
        scripted_database.transact(
            [
                scripted_database.put("notes", {"id": "n1"}),
                scripted_database.put("notes", {"id": "n2"}).labelled("second"),
            ]
        )
    assert refusal.value.failed("second")


def test_unprocessed_keys_of_a_batch_are_read_again(scripted_database, scripted):
    def item(number):
        return {"id": {"S": f"n{number}"}}

    scripted.answers = [
        (
            200,
            {"Responses": {"notes": [item(1)]}, "UnprocessedKeys": {"notes": {"Keys": [item(2)]}}},
        ),
        (200, {"Responses": {"notes": []}, "UnprocessedKeys": {"notes": {"Keys": [item(2)]}}}),
        (200, {"Responses": {"notes": [item(2)]}, "UnprocessedKeys": {}}),
    ]
    assert set(scripted_database.get_by_partition("notes", "id", ["n1", "n2", "n1"])) == {
        "n1",
        "n2",
    }
    assert scripted.asked == ["BatchGetItem"] * 3


def test_batch_that_is_never_processed_is_unavailable(scripted_database, scripted, monkeypatch):
    monkeypatch.setattr(dynamodb.random, "uniform", lambda low, high: 0)
    left = {"notes": {"Keys": [{"id": {"S": "n1"}}]}}
    scripted.answers = [(200, {"Responses": {}, "UnprocessedKeys": left})] * 20
    with pytest.raises(Unavailable):
        scripted_database.get_by_partition("notes", "id", ["n1"])
    assert len(scripted.asked) == 8


def test_empty_list_of_keys_makes_no_call(scripted_database, scripted):
    assert scripted_database.get_by_partition("notes", "id", []) == {}
    assert scripted.asked == []


def test_items_of_several_tables_are_read_in_one_call(database, dynamo):
    part = {"note": "n1", "id": "p1", "said": "x"}
    database.transact([database.put("notes", {"id": "n1"}), database.put("parts", part)])
    note, missing = ("notes", {"id": "n1"}), ("notes", {"id": "n2"})
    with dynamo.counted() as calls:
        found = database.get_items(missing, ("parts", {"note": "n1", "id": "p1"}), note, note)
    assert found == [None, part, {"id": "n1"}, {"id": "n1"}]
    assert calls == {"BatchGetItem": 1}
    with dynamo.counted() as none:
        assert database.get_items() == []
    assert none == {}


def test_unprocessed_items_of_a_batch_are_read_again(scripted_database, scripted):
    first, second = ({"id": {"S": f"n{number}"}} for number in (1, 2))
    left = {"notes": {"Keys": [second], "ConsistentRead": True}}
    scripted.answers = [
        (200, {"Responses": {"notes": [first]}, "UnprocessedKeys": left}),
        (200, {"Responses": {}, "UnprocessedKeys": left}),
        (200, {"Responses": {"notes": [second]}, "UnprocessedKeys": {}}),
    ]
    found = scripted_database.get_items(*(("notes", {"id": f"n{number}"}) for number in (1, 2)))
    assert found == [{"id": "n1"}, {"id": "n2"}]
    assert scripted.asked == ["BatchGetItem"] * 3


def test_items_that_are_never_processed_are_unavailable(scripted_database, scripted, monkeypatch):
    monkeypatch.setattr(dynamodb.random, "uniform", lambda low, high: 0)
    left = {"notes": {"Keys": [{"id": {"S": "n1"}}]}}
    scripted.answers = [(200, {"Responses": {}, "UnprocessedKeys": left})] * 20
    with pytest.raises(Unavailable):
        scripted_database.get_items(("notes", {"id": "n1"}))
    assert len(scripted.asked) == 8


def test_transaction_fails_when_its_condition_check_fails(database):
    database.transact([database.put("notes", {"id": "n1", "is_open": True})])

    def write(part_id):
        check = database.condition_check("notes", {"id": "n1"}, "is_open = :yes", yes=True)
        part = database.put("parts", {"note": "n1", "id": part_id})
        database.transact([part.labelled("part"), check.labelled("check")])

    write("p1")
    database.transact([database.put("notes", {"id": "n1", "is_open": False})])
    with pytest.raises(TransactionCanceled) as refusal:
        write("p2")
    assert [refusal.value.failed(label) for label in ("part", "check")] == [False, True]
    parts = database.query("parts", "note = :n", limit=9, ascending=True, n="n1")
    assert [part["id"] for part in parts] == ["p1"]
    assert database.get("notes", {"id": "n1"}) == {"id": "n1", "is_open": False}


def test_query_continues_over_pages_of_the_database(database):
    # A page of DynamoDB ends at 1 MB.
    for number in range(8):
        part = {"note": "n1", "id": str(number), "said": "x" * 300_000}
        database.transact([database.put("parts", part)])

    def ids(limit: int, ascending: bool) -> str:
        found = database.query("parts", "note = :n", limit=limit, ascending=ascending, n="n1")
        return "".join(item["id"] for item in found)

    assert ids(limit=7, ascending=True) == "0123456"
    assert ids(limit=7, ascending=False) == "7654321"
    assert ids(limit=20, ascending=True) == "01234567"


def test_list_over_all_shards_is_ordered_and_pages_without_gaps(database):
    ids = [f"{number:04x}" for number in range(40)]
    for one in ids:
        item = {"id": one, "list_shard": list_shard(one, SHARDS)}
        database.transact([database.put("notes", item)])

    def newest(before=None):
        found = database.query_newest(
            "notes", "recent", "id", shards=SHARDS, limit=7, before=before
        )
        return [item["id"] for item in found]

    listed, page = [], newest()
    while page:
        listed += page
        page = newest(before=page[-1])
    assert listed == ids[::-1]


def test_get_items_of_several_tables_keeps_order_in_one_call(database, dynamo):
    database.transact([database.put("notes", {"id": "n1", "said": "a", "more": "b"})])
    database.transact([database.put("parts", {"note": "n1", "id": "p1", "said": "c"})])
    part, note = ("parts", {"note": "n1", "id": "p1"}), ("notes", {"id": "n1"})
    with dynamo.counted() as calls:
        found = database.get_items(
            part, note, ("notes", {"id": "none"}), note, only={"notes": ("id", "said")}
        )
    whole = {"note": "n1", "id": "p1", "said": "c"}
    assert found == [whole, {"id": "n1", "said": "a"}, None, {"id": "n1", "said": "a"}]
    assert calls.total() == 1


def test_conditional_put_returns_whether_it_wrote(database):
    free = "attribute_not_exists(id)"
    assert database.put_item_if("notes", {"id": "n1"}, free)
    assert not database.put_item_if("notes", {"id": "n1"}, free)


def test_racing_increments_are_all_counted(database):
    with ThreadPoolExecutor(10) as pool:
        hits = pool.map(lambda _: database.increment("notes", {"id": "c"}, 99)["hits"], range(30))
    assert sorted(hits) == list(range(1, 31))


def test_tables_are_provisioned_once(dynamo):
    prefix = dynamo.provision((NOTES, PARTS))
    assert create_tables(dynamo.client, prefix, (NOTES, PARTS)) == []
    for table in (NOTES, PARTS):
        dynamo.database(prefix).check_table(table)


def test_missing_table_and_missing_database_are_unavailable(dynamo, monkeypatch):
    with pytest.raises(Unavailable):
        dynamo.database("nowhere-").check_table(NOTES)
    with pytest.raises(Unavailable):
        dynamo.database("nowhere-").get("notes", {"id": "n1"})
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable):
        Database(connect(), "").get("notes", {"id": "n1"})


def test_silent_database_is_unavailable_before_a_peer_gives_up(dynamo, monkeypatch):
    monkeypatch.setattr(dynamodb, "READ_TIMEOUT", PRODUCT_PATIENCE)
    assert dynamo.client  # with it come a region and credentials
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(
            "AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{silent.getsockname()[1]}"
        )
        database, began = Database(connect(), ""), time.monotonic()
        with pytest.raises(Unavailable):
            database.get("notes", {"id": "n1"})
        # Two attempts of a second each, and a pause between them.
        assert 2 <= time.monotonic() - began < READ_TIMEOUT


def test_transaction_whose_response_was_lost_is_repeated_as_the_same_one(dynamo, monkeypatch):
    database = dynamo.database(dynamo.provision((NOTES,)))
    session = database.client._endpoint.http_session
    send, sent = session.send, []

    def lose_the_first_response(request):
        sent.append(json.loads(request.body)["ClientRequestToken"])
        response = send(request)
        if len(sent) == 1:
            raise ReadTimeoutError(endpoint_url=request.url)
        return response

    monkeypatch.setattr(session, "send", lose_the_first_response)
    # The condition fails for another transaction, but not for this one's second attempt.
    database.transact([database.put("notes", {"id": "n1"}, "attribute_not_exists(id)")])
    assert len(sent) == 2
    assert len(set(sent)) == 1


def test_short_pause_of_the_database_fails_no_request_of_a_test(dynamo):
    database = dynamo.database(dynamo.provision((NOTES,)))

    def read(number):
        return database.get("notes", {"id": f"n{number}"})

    with ThreadPoolExecutor(10) as pool:
        with dynamo.paused():
            found = pool.map(read, range(10))
            # Longer than both attempts of the product.
            time.sleep(2 * PRODUCT_PATIENCE + 0.5)
        assert list(found) == [None] * 10
