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

    def session(
        version=1, *, name="Ann", role="member", suspended=False, valid_from=0, person_id="ann"
    ):
        return Identity(
            subject=person_id,
            session=uuid7(),
            expires_at=datetime(2026, 1, 31, tzinfo=UTC),
            claims=claims(name, role, suspended, version, valid_from),
            token="",
        )

    return session


@pytest.fixture
def stored(people, database):
    def stored(person_id: str = "ann"):
        (item,) = database.get_items(people.key(person_id))
        return item

    return stored


@pytest.fixture
def apply_update(people):
    def apply_update(version, person_id="ann", **state):
        event = user_event(version, person_id, **state)
        people.apply(event)
        return event

    return apply_update


@pytest.fixture
def apply_erasure(people, database):
    def apply_erasure(version, person_id="ann"):
        event = make_event("user.erased", person_id, version)
        database.transact([people.tombstone(event)])
        return event

    return apply_erasure


def user_event(version, person_id="ann", *, name="Ann", role="member", suspended=False, **more):
    data = {"display_name": name, "role": role, "suspended": suspended, **more}
    return make_event("user.updated", person_id, version, **data)


def test_unknown_user_is_stored_from_the_session(people, stored, session):
    mine = session(3, name="Ann B.", role="moderator")
    actor = people.authorize(mine, None)
    assert (actor.id, actor.display_name, actor.role) == ("ann", "Ann B.", "moderator")
    assert stored() == {
        "id": "ann",
        "version": 3,
        "display_name": "Ann B.",
        "role": "moderator",
        "suspended": False,
        "sessions_valid_from": 0,
        "erased": False,
    }


def test_known_user_costs_no_call(people, stored, apply_update, dynamo, session):
    apply_update(3, name="Ann B.")
    item = stored()
    with dynamo.counted() as calls:
        for version in (1, 3):
            assert people.authorize(session(version), item).display_name == "Ann B."
    assert calls == {}


def test_newer_replica_overrides_the_session(people, stored, apply_update, session):
    apply_update(4, name="Ann B.", role="moderator")
    mine = session(3)
    now = people.authorize(mine, stored())
    assert (now.id, now.display_name, now.role) == ("ann", "Ann B.", "moderator")


def test_newer_session_overrides_the_replica(people, stored, apply_update, session):
    apply_update(2, role="moderator")
    now = people.authorize(session(3, name="Ann C."), stored())
    assert (now.display_name, now.role) == ("Ann C.", "member")
    assert (stored()["version"], stored()["display_name"]) == (3, "Ann C.")


def test_event_during_a_request_overrides_its_session(
    people, stored, apply_update, apply_erasure, session
):
    before = stored()
    apply_update(5, name="Ann D.")
    assert people.authorize(session(1), before).display_name == "Ann D."
    before = stored()
    apply_erasure(6)
    assert people.authorize(session(5), before).display_name == "Ann D.", "seen as of the read"
    with pytest.raises(Unauthenticated):
        people.authorize(session(5), None)


def test_suspended_user_is_refused(people, stored, apply_update, session):
    with pytest.raises(Forbidden) as refusal:
        people.authorize(session(1, suspended=True), stored())
    assert refusal.value.problem_type == "urn:problem:suspended"
    apply_update(2)
    assert people.authorize(session(1, suspended=True), stored()).id == "ann"
    apply_update(3, suspended=True)
    with pytest.raises(Forbidden):
        people.authorize(session(2), stored())
    assert people.authorize(session(4), stored()).role == "member"


def test_session_from_before_the_end_of_all_sessions_is_refused(
    people, stored, apply_update, session
):
    apply_update(3)
    assert people.authorize(session(2), stored()).id == "ann"
    apply_update(4, sessions_valid_from=4)
    apply_update(5, name="Ann B.", sessions_valid_from=4)
    for version in (1, 3):
        with pytest.raises(Unauthenticated):
            people.authorize(session(version), stored())
    for version in (4, 5):
        mine = session(version, valid_from=4)
        assert people.authorize(mine, stored()).display_name == "Ann B."


def test_newer_session_ends_earlier_ones_before_the_event(people, stored, apply_update, session):
    apply_update(2)
    people.authorize(session(3, valid_from=3), stored())
    with pytest.raises(Unauthenticated):
        people.authorize(session(2), stored())


def test_item_of_an_earlier_revision_ends_no_session(people, stored, apply_update, session):
    apply_update(2)
    item = stored()
    del item["sessions_valid_from"]
    assert people.authorize(session(1), item).id == "ann"


def test_erased_user_is_refused_and_leaves_nothing(
    people, stored, apply_update, apply_erasure, session
):
    apply_update(2, name="Ann B.", role="moderator")
    event = apply_erasure(3)
    with pytest.raises(Unauthenticated):
        people.authorize(session(2), stored())
    assert stored() == {
        "id": "ann",
        "version": 3,
        "event_id": event.id,
        "display_name": FORMER,
        "role": "",
        "suspended": False,
        "sessions_valid_from": 0,
        "erased": True,
    }
    apply_update(2, name="Ann B.")
    assert stored()["erased"], "an event that comes late brings nobody back"


def test_repeated_erasure_is_refused_and_changes_nothing(stored, apply_erasure):
    apply_erasure(3)
    before = stored()
    for version in (2, 3):
        with pytest.raises(TransactionCanceled) as refusal:
            apply_erasure(version)
        assert refusal.value.failed("")
    assert stored() == before


def test_unknown_user_is_forgotten_too(people, stored, apply_erasure, session):
    apply_erasure(2)
    with pytest.raises(Unauthenticated):
        people.authorize(session(1), stored())


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_events_in_any_order_end_with_the_newest(stored, apply_update, order):
    events = {version: apply_update(version, name=f"Ann {version}") for version in order}
    item = stored()
    assert (item["version"], item["display_name"]) == (3, "Ann 3")
    assert item["event_id"] == events[3].id


def test_repeated_event_changes_nothing(people, stored, apply_update):
    event = apply_update(2, name="Ann B.")
    before = stored()
    people.apply(event)
    assert stored() == before


def test_event_of_the_version_in_a_session_changes_nothing(people, stored, apply_update, session):
    people.authorize(session(2, name="Ann B."), stored())
    before = stored()
    apply_update(2, name="Ann B.")
    assert stored() == before
    apply_update(3, name="Ann C.")
    assert people.authorize(session(2, name="Ann B."), stored()).display_name == "Ann C."


def test_racing_events_and_sessions_end_with_the_newest(people, stored, session):
    def apply(version: int) -> None:
        if version % 2:
            people.authorize(session(version, name=f"Ann {version}"), None)
        else:
            event = user_event(version, name=f"Ann {version}")
            people.apply(event)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(apply, [*range(1, 41), *range(40, 0, -1)]))
    assert (stored()["version"], stored()["display_name"]) == (40, "Ann 40")


def test_names_are_those_that_are_known(people, apply_update, apply_erasure, dynamo):
    apply_update(1, "ann", name="Ann")
    apply_update(1, "bob", name="Bob")
    apply_erasure(2, "bob")
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
        ({"sessions_valid_from": "no"}, "sessions_valid_from"),
    ],
)
def test_event_without_a_valid_state_is_malformed(people, data, field):
    event = make_event(**({"display_name": "Ann", "role": "member", "suspended": False} | data))
    with pytest.raises(MalformedEvent, match=f"^{field}: "):
        people.apply(event)
