"""Moves of domains while the monolith runs: ownership, write freezes, recorded changes."""

import threading
import time
from types import SimpleNamespace

import pytest
from sqlalchemy import select, text, update

from chassis.clock import CLOCK_SKEW, utc_now
from chassis.errors import CutoverInProgress
from chassis.ownership.bounded_wait import BoundedWait
from chassis.ownership.state import cutover_in_progress
from forum.app import create_app
from forum.domains import NAMES
from forum.outbox import OutboxRow
from forum.ownership.state import (
    FROZEN,
    MOVING,
    SETTLED,
    DomainOwnership,
    Ownership,
    OwnershipRegistry,
)
from forum.ownership.transitions import OwnershipTransitions

NOBODY = "http://127.0.0.1:9"
CACHE_TTL = 0.05  # seconds


@pytest.fixture(autouse=True)
def _short_cache(monkeypatch):
    """Shorten the time for which ownership is cached, since most tests wait for its end."""
    monkeypatch.setattr("forum.ownership.state.CACHE_TTL", CACHE_TTL)


@pytest.fixture
def settings(make_settings):
    return make_settings(
        live_extraction=True,
        users_url=NOBODY,
        threads_url=NOBODY,
        posts_url=NOBODY,
        sign_in_limit_per_name=1000,
        sign_in_limit_per_address=1000,
    )


@pytest.fixture
def moves(database):
    return OwnershipTransitions(database, NAMES, utc_now)


@pytest.fixture
def begin(moves):
    """Mark a domain as moving, and wait until every process has noticed."""

    def begin(domain, owner="monolith"):
        moves.begin_move(domain, owner, {})
        time.sleep(2 * CACHE_TTL)
        moves.wait_for_open_transactions()

    return begin


def new_thread(client, person, title="A thread"):
    return client.post("/api/threads", json={"title": title}, headers=person.headers)


def test_changes_are_recorded_for_the_mover_while_a_domain_moves(
    client, ada, moves, begin, database
):
    new_thread(client, ada)
    with database.reading() as session:
        assert session.scalars(select(OutboxRow)).all() == []
    begin("threads")
    made = new_thread(client, ada).json["id"]
    body = {"thread_id": made, "body": "x"}
    assert client.post("/api/posts", json=body, headers=ada.headers).status_code == 201
    [(event, subject)] = moves.uncopied_changes("threads", 10)
    assert subject == made
    assert moves.uncopied_changes("posts", 10) == []
    moves.mark_copied([event])
    assert moves.uncopied_changes("threads", 10) == []


def test_changes_of_one_domain_are_discarded(client, ada, moves, begin):
    begin("threads")
    begin("posts")
    made = new_thread(client, ada).json["id"]
    body = {"thread_id": made, "body": "x"}
    post = client.post("/api/posts", json=body, headers=ada.headers).json["id"]
    moves.discard_changes("threads")
    assert moves.uncopied_changes("threads", 10) == []
    assert [subject for _, subject in moves.uncopied_changes("posts", 10)] == [post]


def test_new_password_is_recorded_for_the_mover(client, ada, moves, begin):
    begin("users")
    body = {"current": "correct horse", "new": "another horse"}
    changed = client.put("/api/users/me/password", json=body, headers=ada.headers)
    assert changed.status_code == 200
    [(event, subject)] = moves.uncopied_changes("users", 10)
    assert subject == ada.id
    moves.mark_copied([event])


def test_freeze_serves_readers_and_delays_writers_until_its_end(client, ada, moves, begin):
    made = new_thread(client, ada).json["id"]
    begin("threads")
    moves.freeze_writes("threads", 60)
    assert client.get(f"/api/threads/{made}").status_code == 200
    threading.Timer(0.3, lambda: moves.unfreeze_writes("threads")).start()
    began = time.monotonic()
    answer = client.patch(f"/api/threads/{made}", json={"title": "B"}, headers=ada.headers)
    # The API's own request is not made again: it may come once more, and has done nothing.
    assert (answer.status_code, answer.headers["X-Cutover-In-Progress"]) == (503, "true")
    assert time.monotonic() - began >= 0.25
    again = client.patch(f"/api/threads/{made}", json={"title": "B"}, headers=ada.headers)
    assert again.status_code == 200


def test_form_sent_during_a_freeze_waits_and_succeeds(browser, token_of, client, ada, moves, begin):
    made = new_thread(client, ada).json["id"]
    begin("posts")
    window = browser(ada)
    token = token_of(window)
    moves.freeze_writes("posts", 60)
    threading.Timer(0.3, lambda: moves.unfreeze_writes("posts")).start()
    form = {"body": "written in the hold", "csrf_token": token}
    assert window.post(f"/threads/{made}", data=form).status_code == 303
    shown = client.get(f"/api/posts/in-thread/{made}").json["items"]
    assert [post["body"] for post in shown] == ["written in the hold"]


def test_freeze_of_one_domain_leaves_the_others_alone(client, ada, moves, begin):
    made = new_thread(client, ada).json["id"]
    begin("users")
    moves.freeze_writes("users", 60)
    body = {"thread_id": made, "body": "x"}
    assert client.post("/api/posts", json=body, headers=ada.headers).status_code == 201
    assert new_thread(client, ada).status_code == 201


def test_freeze_of_a_dead_mover_ends_by_itself(client, ada, moves, begin):
    begin("threads")
    moves.freeze_writes("threads", -2.1)
    assert new_thread(client, ada).status_code == 201
    assert not moves.change_owner("threads", "threads", MOVING, "watch")
    assert new_thread(client, ada).status_code == 201


@pytest.fixture
def open_transaction(database):
    """Run a function in a transaction that is open for half a second; return its end."""
    threads = []

    def hold(act):
        begun, ended = threading.Event(), []

        def run():
            with database.writing() as session:
                act(session)
                begun.set()
                time.sleep(0.5)
                ended.append(time.time())

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        assert begun.wait(10)
        return ended

    yield hold
    for thread in threads:
        thread.join(10)


def test_freeze_is_counted_from_the_end_of_earlier_writes(moves, begin, database, open_transaction):
    begin("threads")
    mine = select(DomainOwnership).where(DomainOwnership.domain == "threads")
    # As a write of the domain does.
    ended = open_transaction(lambda session: session.execute(mine.with_for_update(read=True)))
    moves.freeze_writes("threads", 60)
    with database.reading() as session:
        until = session.scalars(mine).one().frozen_until
    assert until / 1000 > ended[0] + 59.9


@pytest.mark.parametrize("domain", NAMES)
def test_move_waits_for_writes_that_began_before_it(moves, open_transaction, domain):
    # Even one that has changed nothing so far.
    ended = open_transaction(lambda session: session.execute(text(f"DELETE FROM {domain}")))
    moves.wait_for_open_transactions()
    assert ended


def test_progress_of_a_move_is_stored(moves, begin):
    begin("threads")
    moves.record_progress("threads", "backfill", {"after": "x"})
    status = moves.load_all()["threads"]
    assert (status.phase, status.progress, status.state) == ("backfill", {"after": "x"}, MOVING)
    moves.finish_move("threads")
    status = moves.load_all()["threads"]
    assert (status.phase, status.progress, status.state) == ("", {}, SETTLED)


def test_owner_does_not_change_while_a_freeze_is_being_ended(moves, begin, open_transaction):
    begin("threads")
    moves.freeze_writes("threads", 60)

    def end(session):
        mine = update(DomainOwnership).where(DomainOwnership.domain == "threads")
        session.execute(mine.values(state=MOVING, frozen_until=0))

    open_transaction(end)
    assert not moves.change_owner("threads", "threads", MOVING, "soak")


@pytest.mark.parametrize(("seconds", "accepts"), [(-1, False), (CLOCK_SKEW, False), (2.001, True)])
def test_freeze_lasts_until_its_deadline_and_the_clock_skew(seconds, accepts):
    frozen = Ownership("monolith", FROZEN, frozen_until=1_005_000)
    assert frozen.accepts_writes(1005 + seconds) == accepts


def test_moved_domain_is_forwarded_and_then_404(client, ada, moves, begin):
    begin("threads")
    moves.freeze_writes("threads", 60)
    assert moves.change_owner("threads", "threads", MOVING, "watch")
    # Forwarded to the service, which does not run in this test.
    assert client.get("/api/threads").status_code == 503
    moves.finish_move("threads")
    time.sleep(2 * CACHE_TTL)
    assert client.get("/api/threads").status_code == 404


def test_no_write_passes_a_freeze(app, register, moves, begin, database):
    """With concurrent writers, no write is committed after the freeze has returned."""
    ada = register("ada")
    begin("threads")
    stop, made = threading.Event(), []

    def write():
        client = app.test_client()
        while not stop.is_set():
            answer = new_thread(client, ada)
            made.append(answer.status_code)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    time.sleep(0.5)
    moves.freeze_writes("threads", 60)
    with database.reading() as session:
        held = len(session.scalars(select(OutboxRow.id)).all())
    time.sleep(0.5)
    with database.reading() as session:
        assert len(session.scalars(select(OutboxRow.id)).all()) == held
    stop.set()
    moves.unfreeze_writes("threads")
    for writer in writers:
        writer.join()
    assert made.count(201) >= held > 0


def test_ownership_is_cached_for_its_time(database, monkeypatch):
    now = 4.0
    monkeypatch.setattr("forum.ownership.state.CACHE_TTL", 0.5)
    monkeypatch.setattr("forum.ownership.state.time", SimpleNamespace(monotonic=lambda: now))
    stages = OwnershipRegistry(database, NAMES, frozenset(), live_extraction=True)
    first = stages.current()
    now = 4.25
    assert stages.current() is first
    now = 4.5
    assert stages.current() is not first


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_writes_of_a_moving_domain_do_not_wait_for_another(database, begin, open_transaction):
    """SQLite has a single writer."""
    stages = OwnershipRegistry(database, NAMES, frozenset(), live_extraction=True)
    begin("threads")
    ended = open_transaction(lambda session: stages.fence_write(session, "threads"))
    with database.writing() as session:
        assert stages.fence_write(session, "threads")
        assert not ended


def test_operation_is_not_called_again_in_a_freeze(database, moves, begin, monkeypatch):
    monkeypatch.setattr("forum.ownership.state.BoundedWait", lambda: BoundedWait(seconds=0.1))
    stages = OwnershipRegistry(database, NAMES, frozenset(), live_extraction=True)
    begin("users")
    moves.freeze_writes("users", 60)
    calls = []

    def operation():
        calls.append("called")
        raise cutover_in_progress()

    with pytest.raises(CutoverInProgress):
        stages.retry_after_cutover("users", operation)
    assert calls == ["called"]


def test_ownership_table_is_not_read_without_live_extraction(make_settings, database):
    stages = OwnershipRegistry(database, NAMES, frozenset({"posts"}), live_extraction=False)
    OwnershipTransitions(database, NAMES, utc_now).begin_move("users", "users", {})
    assert stages.snapshot().extracted == {"posts"}


def test_recorded_ownership_overrides_the_setting(make_settings, moves):
    moves.begin_move("users", "users", {})
    moves.finish_move("users")
    app = create_app(
        make_settings(live_extraction=True, extracted=frozenset({"threads"}), users_url=NOBODY)
    )
    try:
        assert app.test_client().get("/api/users").status_code == 404
        assert app.test_client().get("/api/threads").status_code == 404
        assert app.test_client().get("/api/posts").status_code == 200
    finally:
        app.extensions["database"].engine.dispose()


def test_domain_that_services_find_here_is_forwarded_after_its_move(make_settings, moves):
    moves.begin_move("users", "users", {})
    moves.finish_move("users")
    forwarded = frozenset({"users"})
    app = create_app(make_settings(live_extraction=True, forwarded=forwarded, users_url=NOBODY))
    try:
        answer = app.test_client().get("/api/users")
        assert (answer.status_code, answer.json["detail"]) == (
            503,
            "This content is temporarily unavailable.",
        )
    finally:
        app.extensions["database"].engine.dispose()


@pytest.mark.parametrize(
    ("extracted", "finished", "reason"),
    [
        ({"users"}, True, None),
        (set(), True, "users has been moved to users: deploy the stage that it was moved to"),
        ({"users"}, False, "users is being moved: deploy the stage"),
    ],
)
def test_fixed_stage_is_not_ready_with_another_owner(
    make_settings, moves, extracted, finished, reason
):
    moves.begin_move("users", "users", {})
    if finished:
        moves.finish_move("users")
    app = create_app(make_settings(extracted=frozenset(extracted), users_url=NOBODY))
    try:
        answer = app.test_client().get("/readyz")
        assert answer.status_code == (503 if reason else 200)
        assert reason is None or answer.json["detail"].startswith(f"database: {reason}")
    finally:
        app.extensions["database"].engine.dispose()


def test_ownership_is_read_once_per_request(database, moves, begin):
    stages = OwnershipRegistry(database, NAMES, frozenset(), live_extraction=True)
    begin("users")
    stages.pin_snapshot()
    before = stages.snapshot()
    moves.freeze_writes("users", 60)
    assert stages.snapshot() is before
    stages.unpin_snapshot()
    assert stages.snapshot().domains["users"].state == FROZEN
    with database.writing() as session, pytest.raises(CutoverInProgress):
        stages.fence_write(session, "users")


def test_status_page_names_the_domain_that_is_moving(client, begin, moves):
    assert "on the move" not in client.get("/status").text
    begin("threads")
    page = client.get("/status").text
    assert "The threads domain is being moved from the monolith to its service." in page
    moves.change_owner("threads", "threads", MOVING, "watch", only_while_frozen=False)
    page = client.get("/status").text
    assert "The threads domain is being moved between its service and the monolith." in page
    moves.finish_move("threads")
    assert "on the move" not in client.get("/status").text
