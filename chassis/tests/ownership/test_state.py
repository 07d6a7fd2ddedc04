"""A service's ownership: caching, fenced writes, and handling of requests."""

import threading
import time

import pytest
from flask import Flask, Response, request
from werkzeug.serving import make_server

from chassis.clock import CLOCK_SKEW
from chassis.dynamodb.database import Database, TransactionCanceled
from chassis.dynamodb.tables import Table
from chassis.errors import CutoverInProgress, Unavailable
from chassis.headers import CUTOVER_FORWARDED
from chassis.http import problems
from chassis.ownership import forwarding
from chassis.ownership.bounded_wait import BoundedWait
from chassis.ownership.fenced_database import FencedDatabase
from chassis.ownership.state import (
    CACHE_TTL,
    OwnershipState,
    OwnershipStore,
    State,
    ownership_table,
    require_settled,
)
from infra.runner.free_port import free_port
from tests.support.dynamo import Dynamo

NOTES = Table("notes", partition="id")
TABLES = (NOTES, ownership_table("notes"))


@pytest.fixture
def database(dynamo: Dynamo) -> Database:
    return dynamo.database(dynamo.provision(TABLES))


@pytest.fixture
def ownership(database: Database) -> OwnershipStore:
    return OwnershipStore(database, "notes")


@pytest.fixture
def fenced(database: Database, ownership: OwnershipStore) -> FencedDatabase:
    return FencedDatabase(database, ownership)


def test_new_service_owns_its_domain(ownership: OwnershipStore) -> None:
    assert ownership.load() == OwnershipState(State.OPEN)
    assert ownership.accepts_writes()
    assert ownership.fence() is None


def test_open_state_is_cached_for_a_second_and_others_are_read(
    dynamo: Dynamo, ownership: OwnershipStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [1000.0]
    monkeypatch.setattr("chassis.ownership.state.time.monotonic", lambda: seconds[0])
    with dynamo.counted() as calls:
        for _ in range(5):
            ownership.current()
        seconds[0] += CACHE_TTL
        ownership.current()
    assert calls["GetItem"] == 2
    ownership.save(OwnershipState(State.FENCED))
    seconds[0] += CACHE_TTL
    with dynamo.counted() as calls:
        for _ in range(3):
            assert ownership.current().state == State.FENCED
    assert calls["GetItem"] == 3


def test_service_owns_nothing_before_its_first_move_if_another_did(database: Database) -> None:
    ownership = OwnershipStore(database, "notes", initial=State.CLOSED)
    guard = FencedDatabase(database, ownership)
    write = [guard.put(NOTES.name, {"id": "a"})]
    with pytest.raises(CutoverInProgress):
        guard.transact(write)
    ownership.save(OwnershipState(State.OPEN))
    guard.transact(write)


@pytest.mark.parametrize(
    ("state", "passes"),
    [
        (State.OPEN, True),
        (State.FENCED, True),
        (State.FROZEN, False),
        (State.SEALED, False),
        (State.CLOSED, False),
    ],
)
def test_write_passes_if_the_ownership_state_allows_it(
    ownership: OwnershipStore, fenced: FencedDatabase, state: str, passes: bool
) -> None:
    ownership.save(OwnershipState(state, time.time() + 60 if state == State.FROZEN else 0))
    actions = [fenced.put(NOTES.name, {"id": "a"}, "attribute_not_exists(id)")]
    if passes:
        fenced.transact(actions)
        with pytest.raises(TransactionCanceled) as refused:
            fenced.transact(actions)
        assert refused.value.failed_labels == {""}
    else:
        with pytest.raises(CutoverInProgress):
            fenced.transact(actions)
        assert fenced.get(NOTES.name, {"id": "a"}) is None


def test_write_begun_while_fenced_is_refused_after_a_freeze(
    ownership: OwnershipStore, fenced: FencedDatabase
) -> None:
    """A write that read the state while fenced is refused by the transaction's condition."""
    ownership.save(OwnershipState(State.FENCED))
    check = ownership.fence()
    ownership.save(OwnershipState(State.FROZEN, time.time() + 60))
    assert check is not None
    with pytest.raises(TransactionCanceled):
        Database.transact(fenced, [check])


def test_freeze_ends_by_itself_after_its_time_and_clock_skew(
    database: Database, fenced: FencedDatabase
) -> None:
    now = [1000.0]
    ownership = OwnershipStore(database, "notes", lambda: now[0])
    ownership.save(OwnershipState(State.FROZEN, 1005))
    guard = FencedDatabase(database, ownership)
    write = [guard.put(NOTES.name, {"id": "a"})]
    now[0] = 1005 + CLOCK_SKEW
    assert not ownership.accepts_writes()
    with pytest.raises(CutoverInProgress):
        guard.transact(write)
    now[0] += 0.1
    assert ownership.accepts_writes()
    guard.transact(write)


def test_domain_is_sealed_only_during_a_freeze(database: Database) -> None:
    now = [1000.0]
    ownership = OwnershipStore(database, "notes", lambda: now[0])
    ownership.save(OwnershipState(State.FENCED))
    assert not ownership.save(OwnershipState(State.SEALED), only_while_frozen=True)
    ownership.save(OwnershipState(State.FROZEN, 1005))
    for late in (1005, 1006):
        now[0] = late
        assert not ownership.save(OwnershipState(State.SEALED), only_while_frozen=True)
    assert ownership.load() == OwnershipState(State.FROZEN, 1005)
    ownership.save(OwnershipState(State.FROZEN, 1006.5))
    assert ownership.save(
        OwnershipState(State.SEALED, components=frozenset({"a"})), only_while_frozen=True
    )
    assert ownership.load() == OwnershipState(State.SEALED, 0, frozenset({"a"}))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.OPEN, ""),
        (State.FENCED, "notes is being moved"),
        (State.SEALED, "notes is being moved"),
        (State.CLOSED, "notes belongs to the monolith"),
    ],
)
def test_fixed_stage_requires_that_the_service_is_the_owner(
    ownership: OwnershipStore, state: State, reason: str
) -> None:
    ownership.save(OwnershipState(state))
    if not reason:
        require_settled(ownership, "notes")
        return
    with pytest.raises(Unavailable) as failure:
        require_settled(ownership, "notes")
    assert failure.value.detail.startswith(f"{reason}: deploy the stage")


def test_bounded_wait_limits_the_number_of_waiters() -> None:
    wait = BoundedWait(seconds=5, waiters=1)
    over = threading.Event()
    waiting = threading.Thread(target=lambda: wait.until(over.is_set))
    waiting.start()
    time.sleep(0.1)
    assert not wait.until(over.is_set)
    over.set()
    waiting.join()
    assert wait.until(over.is_set)


def test_bounded_wait_returns_false_on_timeout() -> None:
    began = time.monotonic()
    assert not BoundedWait(seconds=0.1).until(lambda: False)
    assert time.monotonic() - began < 2


@pytest.fixture
def app(ownership: OwnershipStore) -> Flask:
    return serving(ownership, "")


def serving(ownership: OwnershipStore, gateway: str) -> Flask:
    app = Flask("notes")
    problems.register_error_handlers(app)
    forwarding.follow_owner(app, "/api/notes", ownership, gateway)

    @app.route("/api/notes", methods=["GET", "POST"])
    def notes() -> str:
        return "here"

    @app.get("/readyz")
    def ready() -> str:
        return "ready"

    return app


def test_frozen_domain_serves_readers_and_delays_writers(
    app: Flask, ownership: OwnershipStore
) -> None:
    ownership.save(OwnershipState(State.FROZEN, time.time() + 60))
    client = app.test_client()
    assert client.get("/api/notes").text == "here"
    threading.Timer(0.3, lambda: ownership.save(OwnershipState(State.OPEN))).start()
    began = time.monotonic()
    assert client.post("/api/notes").text == "here"
    assert time.monotonic() - began >= 0.25


def test_writer_that_waited_too_long_gets_503_with_retry_after(
    app: Flask, ownership: OwnershipStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedWait, "until", lambda *_: False)
    ownership.save(OwnershipState(State.SEALED))
    answer = app.test_client().post("/api/notes")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.headers["X-Cutover-In-Progress"] == "true"
    assert answer.content_type == "application/problem+json"


def test_requests_of_a_moved_domain_are_forwarded(ownership: OwnershipStore) -> None:
    port = free_port()
    elsewhere = Flask("elsewhere")

    @elsewhere.route("/api/notes", methods=["GET", "POST"])
    def notes() -> Response | dict[str, str]:
        if "If-None-Match" in request.headers:
            return Response(status=304, headers={"ETag": '"1"'})
        return {
            "query": request.query_string.decode(),
            "body": request.get_data(as_text=True),
            "who": request.headers.get("Authorization", ""),
            "once": request.headers.get(CUTOVER_FORWARDED, ""),
        }

    server = make_server("127.0.0.1", port, elsewhere, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        client = serving(ownership, f"http://127.0.0.1:{port}").test_client()
        ownership.save(OwnershipState(State.CLOSED))
        answer = client.post("/api/notes?a=%C3%BC", data="ü", headers={"Authorization": "Bearer x"})
        assert answer.json == {"query": "a=%C3%BC", "body": "ü", "who": "Bearer x", "once": "true"}
        known = client.get("/api/notes", headers={"If-None-Match": '"1"'})
        assert (known.status_code, known.data, known.headers["ETag"]) == (304, b"", '"1"')
        assert "Content-Type" not in known.headers
        again = client.get("/api/notes", headers={CUTOVER_FORWARDED: "true"})
        assert (again.status_code, again.headers["X-Cutover-In-Progress"]) == (503, "true")
        assert client.get("/readyz").text == "ready"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_closed_domain_without_a_known_owner_is_503(app: Flask, ownership: OwnershipStore) -> None:
    ownership.save(OwnershipState(State.CLOSED))
    assert app.test_client().get("/api/notes").status_code == 503
