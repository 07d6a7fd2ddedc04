"""The replica of users in threads and in posts: the newest state wins, in any order."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from itertools import permutations

import pytest

from chassis.auth.tokens import Identity
from chassis.clock import uuid7
from chassis.dynamodb.database import TransactionCanceled
from chassis.errors import Forbidden, Unauthenticated
from chassis.messaging.events import MalformedEvent
from tests.support.bus import make_event

FORMER = "former member"


@pytest.fixture(params=["threads", "posts"])
def service(request):
    return request.param


@pytest.fixture
def database(dynamo, service):
    tables = import_module(f"{service}.dynamodb.tables")
    return dynamo.database(dynamo.provision((tables.USERS,)))


@pytest.fixture
def people(database, service):
    return import_module(f"{service}.dynamodb.user_replica").UserReplica(database)


@pytest.fixture
def session(service):
    claims = import_module(f"{service}.model").SessionClaims

    def session(version=1, *, name="Ann", role="member", suspended=False, person_id="ann"):
        return Identity(
            subject=person_id,
            session=uuid7(),
            expires_at=datetime(2026, 1, 31, tzinfo=UTC),
            claims=claims(name, role, suspended, version),
            token="",
        )

    return session


@pytest.fixture
def known(people, database):
    def known(person_id: str = "ann"):
        (item,) = database.get_items(people.key(person_id))
        return item

    return known


@pytest.fixture
def learn(people):
    def learn(version, person_id="ann", **state):
        event = user_event(version, person_id, **state)
        people.apply(event)
        return event

    return learn


@pytest.fixture
def forget(people, database):
    def forget(version, person_id="ann"):
        event = make_event("user.erased", person_id, version)
        database.transact([people.tombstone(event)])
        return event

    return forget


def user_event(version, person_id="ann", *, name="Ann", role="member", suspended=False, **more):
    data = {"display_name": name, "role": role, "suspended": suspended, **more}
    return make_event("user.updated", person_id, version, **data)


def test_unknown_user_is_stored_from_the_session(people, known, session):
    mine = session(3, name="Ann B.", role="moderator")
    actor = people.authorize(mine, None)
    assert (actor.id, actor.display_name, actor.role) == ("ann", "Ann B.", "moderator")
    assert known() == {
        "id": "ann",
        "version": 3,
        "display_name": "Ann B.",
        "role": "moderator",
        "suspended": False,
        "erased": False,
    }


def test_known_user_costs_no_call(people, known, learn, dynamo, session):
    learn(3, name="Ann B.")
    item = known()
    with dynamo.counted() as calls:
        for version in (1, 3):
            assert people.authorize(session(version), item).display_name == "Ann B."
    assert calls == {}


def test_newer_replica_overrides_the_session(people, known, learn, session):
    learn(4, name="Ann B.", role="moderator")
    mine = session(3)
    now = people.authorize(mine, known())
    assert (now.id, now.display_name, now.role) == ("ann", "Ann B.", "moderator")


def test_newer_session_overrides_the_replica(people, known, learn, session):
    learn(2, role="moderator")
    now = people.authorize(session(3, name="Ann C."), known())
    assert (now.display_name, now.role) == ("Ann C.", "member")
    assert (known()["version"], known()["display_name"]) == (3, "Ann C.")


def test_event_during_a_request_overrides_its_session(people, known, learn, forget, session):
    before = known()
    learn(5, name="Ann D.")
    assert people.authorize(session(1), before).display_name == "Ann D."
    before = known()
    forget(6)
    assert people.authorize(session(5), before).display_name == "Ann D.", "seen as of the read"
    with pytest.raises(Unauthenticated):
        people.authorize(session(5), None)


def test_suspended_user_is_refused(people, known, learn, session):
    with pytest.raises(Forbidden) as refusal:
        people.authorize(session(1, suspended=True), known())
    assert refusal.value.problem_type == "urn:problem:suspended"
    learn(2)
    assert people.authorize(session(1, suspended=True), known()).id == "ann"
    learn(3, suspended=True)
    with pytest.raises(Forbidden):
        people.authorize(session(2), known())
    assert people.authorize(session(4), known()).role == "member"


def test_erased_user_is_refused_and_leaves_nothing(people, known, learn, forget, session):
    learn(2, name="Ann B.", role="moderator")
    event = forget(3)
    with pytest.raises(Unauthenticated):
        people.authorize(session(2), known())
    assert known() == {
        "id": "ann",
        "version": 3,
        "event_id": event.id,
        "display_name": FORMER,
        "role": "",
        "suspended": False,
        "erased": True,
    }
    learn(2, name="Ann B.")
    assert known()["erased"], "an event that comes late brings nobody back"


def test_repeated_erasure_is_refused_and_changes_nothing(known, forget):
    forget(3)
    before = known()
    for version in (2, 3):
        with pytest.raises(TransactionCanceled) as refusal:
            forget(version)
        assert refusal.value.failed("")
    assert known() == before


def test_unknown_user_is_forgotten_too(people, known, forget, session):
    forget(2)
    with pytest.raises(Unauthenticated):
        people.authorize(session(1), known())


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_events_in_any_order_end_with_the_newest(known, learn, order):
    events = {version: learn(version, name=f"Ann {version}") for version in order}
    item = known()
    assert (item["version"], item["display_name"]) == (3, "Ann 3")
    assert item["event_id"] == events[3].id


def test_repeated_event_changes_nothing(people, known, learn):
    event = learn(2, name="Ann B.")
    before = known()
    people.apply(event)
    assert known() == before


def test_event_of_the_version_in_a_session_changes_nothing(people, known, learn, session):
    people.authorize(session(2, name="Ann B."), known())
    before = known()
    learn(2, name="Ann B.")
    assert known() == before
    learn(3, name="Ann C.")
    assert people.authorize(session(2, name="Ann B."), known()).display_name == "Ann C."


def test_racing_events_and_sessions_end_with_the_newest(people, known, session):
    def tell(version: int) -> None:
        if version % 2:
            people.authorize(session(version, name=f"Ann {version}"), None)
        else:
            event = user_event(version, name=f"Ann {version}")
            people.apply(event)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(tell, [*range(1, 41), *range(40, 0, -1)]))
    assert (known()["version"], known()["display_name"]) == (40, "Ann 40")


def test_names_are_those_that_are_known(people, learn, forget, dynamo):
    learn(1, "ann", name="Ann")
    learn(1, "bob", name="Bob")
    forget(2, "bob")
    with dynamo.counted() as calls:
        assert people.display_names(["ann", "bob", "cyd", "ann"]) == {"ann": "Ann", "bob": FORMER}
    assert calls == {"BatchGetItem": 1}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"display_name": ""}, "display_name"),
        ({"display_name": "x" * 51}, "display_name"),
        ({"role": None}, "role"),
        ({"suspended": "no"}, "suspended"),
    ],
)
def test_event_without_a_valid_state_is_malformed(people, data, field):
    event = make_event(**({"display_name": "Ann", "role": "member", "suspended": False} | data))
    with pytest.raises(MalformedEvent, match=f"^{field}: "):
        people.apply(event)
