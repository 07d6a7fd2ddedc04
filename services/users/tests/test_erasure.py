"""Erasure of an account: events, confirmations and progress."""

import itertools
from collections import Counter
from datetime import timedelta

import pytest

from chassis.clock import utc_now, uuid7
from chassis.messaging.events import Event
from services.users.tests.conftest import PASSWORD
from tests.support import schemas
from tests.support.service import race
from users.bootstrap import UsersService
from users.event_handlers import EventHandlers
from users.service import UnknownErasure
from users.settings import UsersSettings

PATH = "/api/users"
REPLICA_HOLDERS = ("monolith", "posts", "threads")


@pytest.fixture
def apply(settings):
    """Return a function that applies a component's confirmation of an erasure."""
    users = UsersService(settings).users
    handlers = EventHandlers(users).handlers()

    def apply(person_id, component, event_id=None):
        event = Event(
            event_id or uuid7(), "user.forgotten", f"/{component}", person_id, 2, utc_now(), {}
        )
        schemas.validate(event)
        handlers[event.type](event)

    return apply


@pytest.fixture
def erased(client, ada):
    """Erase Ada, and return the URL of the erasure's progress."""
    answer = client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
    assert answer.status_code == 202
    return answer.headers["Location"]


def test_response_links_to_the_erasure(client, ada):
    answer = client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
    assert answer.headers["Location"] == f"{ada.path}/erasure"
    asked = client.get(answer.headers["Location"])
    assert asked.status_code == 200
    assert asked.headers["Cache-Control"] == "no-cache"
    assert asked.json == {
        "id": ada.id,
        "status": "erasing",
        "requested_at": asked.json["requested_at"],
        "finished_at": None,
    }


def test_erasure_of_an_existing_or_unknown_account_is_404(client, ada):
    for person_id in (ada.id, uuid7(), "nonsense"):
        answer = client.get(f"{PATH}/{person_id}/erasure")
        assert answer.status_code == 404
        assert answer.json["detail"] == "Erasure not found."


@pytest.mark.parametrize("order", list(itertools.permutations(REPLICA_HOLDERS)))
def test_erasure_finishes_when_all_replica_holders_confirmed(client, erased, apply, ada, order):
    for component in order:
        assert client.get(erased).json["status"] == "erasing"
        apply(ada.id, component)
    done = client.get(erased).json
    assert done["status"] == "erased"
    assert done["finished_at"] >= done["requested_at"]


def test_repeated_or_unknown_confirmation_changes_nothing(client, erased, apply, ada):
    once = uuid7()
    for component in ("threads", "threads", "users", "search", "posts", "posts"):
        apply(ada.id, component, once)
        assert client.get(erased).json["status"] == "erasing"
    apply(ada.id, "monolith")
    done = client.get(erased).json
    assert done["status"] == "erased"
    for component in (*REPLICA_HOLDERS, "search"):
        apply(ada.id, component)
    assert client.get(erased).json == done


def test_erasures_of_two_users_are_independent(client, apply, ada, bob):
    for person in (ada, bob):
        client.delete(person.path, json={"password": PASSWORD}, headers=person.headers)
    for component in REPLICA_HOLDERS:
        apply(ada.id, component)
    assert client.get(f"{ada.path}/erasure").json["status"] == "erased"
    assert client.get(f"{bob.path}/erasure").json["status"] == "erasing"


@pytest.mark.parametrize("existing", [True, False])
def test_confirmation_of_an_unknown_erasure_is_a_fault(apply, ada, existing):
    with pytest.raises(UnknownErasure):
        apply(ada.id if existing else uuid7(), "posts")


def test_concurrent_confirmations_are_all_counted(app, client, erased, apply, ada):
    def confirm(racer, number):
        apply(ada.id, REPLICA_HOLDERS[number % len(REPLICA_HOLDERS)])
        return racer.get(erased)

    race(app, confirm)
    assert client.get(erased).json["status"] == "erased"


def test_reused_name_belongs_to_another_user(client, erased, apply, ada):
    new = {"username": "ada", "password": PASSWORD}
    heir = client.post(PATH, json=new).json
    for component in REPLICA_HOLDERS:
        apply(ada.id, component)
    assert client.get(f"{PATH}/{heir['id']}").json == heir
    assert client.get(f"{PATH}/{heir['id']}/erasure").status_code == 404


def test_registration_is_not_repeated_from_an_erased_account(client, dynamo, settings):
    new, key = {"username": "grace", "password": PASSWORD}, {"Idempotency-Key": "once"}
    first = client.post(PATH, json=new, headers=key).json
    token = client.post(f"{PATH}/sessions", json=new).json["token"]
    headers = {"Authorization": f"Bearer {token}"}
    path = f"{PATH}/{first['id']}"
    assert client.delete(path, json={"password": PASSWORD}, headers=headers).status_code == 202
    database = dynamo.database(settings.table_prefix)
    assert database.scan("users-responses", None) == ([], None)
    second = client.post(PATH, json=new, headers=key)
    assert second.status_code == 201
    assert second.json["id"] != first["id"]


def test_erasure_without_replica_holders_finishes_at_once(settings, ada):
    alone = settings.model_copy(update={"replica_holders": frozenset()})
    client = UsersService(alone).create_app().test_client(use_cookies=False)
    client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
    done = client.get(f"{ada.path}/erasure").json
    assert (done["status"], done["finished_at"]) == ("erased", done["requested_at"])


def test_only_one_of_many_erasure_requests_starts_one(app, client, settings, ada):
    def erase(racer, _):
        return racer.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)

    # Each request contains the password, and the number of attempts is limited.
    outcomes = Counter(answer.status_code for answer in race(app, erase))
    assert outcomes[202] == 1
    assert set(outcomes) <= {202, 401, 429}


def test_end_of_an_erasure_is_the_last_confirmation(settings, ada, client):
    now = utc_now()
    users = UsersService(settings, clock=lambda: now).users
    client.delete(ada.path, json={"password": PASSWORD}, headers=ada.headers)
    for component in REPLICA_HOLDERS:
        now += timedelta(minutes=1)
        users.confirm_erasure(ada.id, component)
    assert users.erasure(ada.id).finished_at == now


@pytest.mark.parametrize(
    ("text", "replica_holders"),
    [
        ("", set()),
        ("monolith", {"monolith"}),
        (" monolith, threads,posts ,", {"monolith", "threads", "posts"}),
    ],
)
def test_replica_holders_are_a_list_with_commas(monkeypatch, settings, text, replica_holders):
    monkeypatch.setenv("REPLICA_HOLDERS", text)
    assert (
        UsersSettings(**settings.model_dump(exclude={"replica_holders"})).replica_holders
        == replica_holders
    )


@pytest.mark.parametrize("text", ["/posts", "Posts", "a b"])
def test_invalid_replica_holders_are_refused(monkeypatch, settings, text):
    monkeypatch.setenv("REPLICA_HOLDERS", text)
    with pytest.raises(ValueError, match="replica_holders"):
        UsersSettings(**settings.model_dump(exclude={"replica_holders"}))
