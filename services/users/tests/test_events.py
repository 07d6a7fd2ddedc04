"""Events of the service: recorded with each write, according to their schemas."""

import pytest
from jsonschema import Draft202012Validator

from chassis.clock import parse_timestamp
from services.users.tests.conftest import PASSWORD
from tests.support import schemas
from users import events
from users.bootstrap import UsersService
from users.domain import DOMAIN

PATH = "/api/users"
ALL = {events.REGISTERED, events.UPDATED, events.SUSPENDED, events.ERASED, events.FORGOTTEN}


@pytest.fixture
def recorded(settings):
    """Return a function that reads unpublished events in order, and validates their schemas."""
    outbox = UsersService(settings).outbox

    def recorded():
        waiting = sorted(outbox.load_unpublished(100), key=lambda event: event.id)
        for event in waiting:
            schemas.validate(event)
            assert event.source == "/users"
        return waiting

    return recorded


def summary(event):
    return event.type, event.subject, event.version


def test_every_event_has_a_schema_whose_examples_fit():
    assert set(schemas.kinds("users")) == ALL
    for kind in ALL:
        Draft202012Validator.check_schema(schemas.schema(kind))
        assert schemas.examples(kind)
        for example in schemas.examples(kind):
            schemas.validate(example)


def test_service_subscribes_to_confirmations_only():
    assert DOMAIN.subscription.component == "users"
    assert DOMAIN.subscription.event_types == (events.FORGOTTEN,)


def test_registration_publishes_the_whole_public_state(client, recorded):
    new = {"username": "grace", "password": PASSWORD, "display_name": "Grace 🌊"}
    made = client.post(PATH, json=new).json
    [event] = recorded()
    assert summary(event) == ("user.registered", made["id"], 1)
    assert event.data == {name: made[name] for name in made if name != "id"} | {
        "suspended": False,
        "sessions_valid_from": 0,
    }
    assert event.time >= parse_timestamp(made["created_at"])


def test_refused_or_repeated_registration_publishes_nothing(client, recorded):
    new, key = {"username": "grace", "password": PASSWORD}, {"Idempotency-Key": "once"}
    for expected, body, headers in (
        (201, new, key),
        (201, new, key),
        (409, new | {"username": "Grace"}, {}),
        (400, new | {"username": "x"}, {}),
    ):
        assert client.post(PATH, json=body, headers=headers).status_code == expected
    assert len(recorded()) == 1


def test_each_change_publishes_the_new_state_and_version(client, recorded, ada, moderator):
    for person, change in (
        (ada, {"display_name": "Ada L.", "bio": "Notes.\nMore."}),
        (moderator, {"suspended": True}),
        (moderator, {"suspended": True, "role": "moderator", "password": PASSWORD}),
        (moderator, {"suspended": False, "role": "member", "password": PASSWORD}),
    ):
        assert client.patch(ada.path, json=change, headers=person.headers).status_code == 200
    of_ada = [event for event in recorded() if event.subject == ada.id]
    assert [(event.type, event.version) for event in of_ada] == [
        ("user.registered", 1),
        ("user.updated", 2),
        ("user.suspended", 3),
        ("user.updated", 4),
        ("user.suspended", 5),
    ]
    states = [
        (event.data["display_name"], event.data["role"], event.data["suspended"])
        for event in of_ada[1:]
    ]
    assert states == [
        ("Ada L.", "member", False),
        ("Ada L.", "member", True),
        ("Ada L.", "moderator", True),
        ("Ada L.", "member", False),
    ]
    assert {event.data["bio"] for event in of_ada[1:]} == {"Notes.\nMore."}


def test_refused_change_publishes_nothing(client, recorded, ada, bob):
    before = recorded()
    for headers in (bob.headers, ada.headers | {"If-Match": '"7"'}):
        client.patch(ada.path, json={"bio": "x"}, headers=headers)
        client.delete(ada.path, json={"password": PASSWORD}, headers=headers)
    assert recorded() == before


def test_moderator_made_by_command_is_published_too(recorded, moderator):
    event = recorded()[-1]
    assert summary(event) == ("user.updated", moderator.id, 2)
    assert event.data["role"] == "moderator"


def test_end_of_all_sessions_is_published_as_a_version(client, recorded, ada):
    body = {"current": PASSWORD, "new": "another horse"}
    changed = client.put(f"{PATH}/me/password", json=body, headers=ada.headers)
    headers = {"Authorization": f"Bearer {changed.json['token']}"}
    assert client.delete(f"{PATH}/me/sessions", headers=headers).status_code == 204
    first, *rest = recorded()
    assert [summary(event) for event in rest] == [
        ("user.updated", ada.id, 2),
        ("user.updated", ada.id, 3),
    ]
    assert [event.data for event in rest] == [
        first.data | {"sessions_valid_from": version} for version in (2, 3)
    ]


def test_erasure_is_published_as_the_last_version(client, recorded, ada):
    client.patch(ada.path, json={"bio": "x"}, headers=ada.headers)
    client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
    event = recorded()[-1]
    assert summary(event) == ("user.erased", ada.id, 3)
    assert event.data == {}


def test_no_event_contains_a_password_or_its_hash(client, recorded, ada):
    for event in recorded():
        assert PASSWORD not in event.to_json()
        assert "argon2" not in event.to_json()


def test_event_costs_no_additional_call(client, dynamo, ada):
    with dynamo.counted() as calls:
        client.patch(ada.path, json={"bio": "x"}, headers=ada.headers)
    assert calls == {"GetItem": 1, "TransactWriteItems": 1}
    with dynamo.counted() as calls:
        client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
    # The password is one more read, and a counted attempt; the query finds stored responses.
    assert calls == {"GetItem": 2, "Query": 1, "UpdateItem": 1, "TransactWriteItems": 1}
