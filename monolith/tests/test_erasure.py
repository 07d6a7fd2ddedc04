"""Erasure of an account owned by the forum: at once, or with services that have replicas."""

import itertools

import pytest
from sqlalchemy import select

from chassis.clock import utc_now, uuid7
from chassis.messaging.events import Event
from forum.bootstrap import Bootstrap
from forum.idempotency import StoredResponse
from forum.outbox import SqlOutbox
from forum.users.persistence import UnknownErasure
from tests.support import schemas
from tests.support.etags import version_of

PATH = "/api/users"
PASSWORD = "correct horse"
STAGES = ("threads", "posts", "threads,posts")


@pytest.fixture
def settings(make_settings, request):
    """Return settings with users owned here, and other domains at the test's stage."""
    return make_settings(
        extracted=getattr(request, "param", ""),
        sign_in_limit_per_address=100_000,
        sign_in_limit_per_name=100_000,
    )


@pytest.fixture
def parts(settings):
    parts = Bootstrap(settings)
    yield parts
    parts.database.engine.dispose()


@pytest.fixture
def confirm(parts):
    """Return a function that applies a component's confirmation of an erasure."""
    apply = parts.event_handlers()["user.forgotten"]

    def confirm(person_id, component):
        event = Event(uuid7(), "user.forgotten", f"/{component}", person_id, 2, utc_now(), {})
        schemas.validate(event)
        apply(event)

    return confirm


@pytest.fixture
def recorded(database):
    """Return a function that reads unpublished events, and validates their schemas."""
    outbox = SqlOutbox(database, utc_now)

    def recorded():
        waiting = outbox.load_unpublished(100)
        for event in waiting:
            schemas.validate(event)
            assert event.source == "/monolith"
        return waiting

    return recorded


@pytest.fixture
def erased(client, ada):
    """Erase Ada, and return the URL of the erasure's progress."""
    answer = client.delete(f"{PATH}/{ada.id}", json={"password": PASSWORD}, headers=ada.headers)
    assert (answer.status_code, answer.json) == (202, {"id": ada.id, "status": "erasing"})
    return answer.headers["Location"]


def test_erasure_without_replica_holders_finishes_at_once(client, erased, ada, recorded):
    assert erased == f"{PATH}/{ada.id}/erasure"
    asked = client.get(erased)
    assert (asked.status_code, asked.headers["Cache-Control"]) == (200, "no-cache")
    assert asked.json == {
        "id": ada.id,
        "status": "erased",
        "requested_at": asked.json["requested_at"],
        "finished_at": asked.json["requested_at"],
    }
    assert recorded() == [], "nobody is there to be told"


def test_erasure_of_an_existing_or_unknown_account_is_404(client, ada):
    for person_id in (ada.id, uuid7(), "nonsense"):
        answer = client.get(f"{PATH}/{person_id}/erasure")
        assert answer.status_code == 404
        assert answer.json["detail"] == "Erasure not found."


def test_erased_user_leaves_no_stored_response(client, database):
    key, headers, ids = {"Idempotency-Key": "once"}, {}, {}
    for name in ("grace", "heidi"):
        new = {"username": name, "password": PASSWORD}
        ids[name] = client.post(PATH, json=new, headers=key).json["id"]
        token = client.post(f"{PATH}/sessions", json=new).json["token"]
        headers[name] = key | {"Authorization": f"Bearer {token}"}
        thread = client.post("/api/threads", json={"title": "T"}, headers=headers[name]).json["id"]
        post = {"thread_id": thread, "body": "B"}
        assert client.post("/api/posts", json=post, headers=headers[name]).status_code == 201
    path, body = f"{PATH}/{ids['grace']}", {"password": PASSWORD}
    assert client.delete(path, json=body, headers=headers["grace"]).status_code == 202
    with database.reading() as session:
        scopes = session.scalars(select(StoredResponse.scope)).all()
    assert sorted(scope.partition(" /")[0] for scope in scopes) == sorted(
        ["newcomer heidi", ids["heidi"], ids["heidi"]]
    )


@pytest.mark.parametrize("settings", STAGES, indirect=True)
def test_erasure_waits_for_each_replica_holder(client, erased, confirm, settings, ada):
    orders = list(itertools.permutations(settings.extracted))
    for component in orders[0]:
        for _ in range(2):
            assert client.get(erased).json["status"] == "erasing"
            assert client.get(erased).json["finished_at"] is None
            confirm(ada.id, "search")
        confirm(ada.id, component)
    done = client.get(erased).json
    assert done["status"] == "erased"
    assert done["finished_at"] >= done["requested_at"]
    for component in orders[-1]:
        confirm(ada.id, component)
    assert client.get(erased).json == done


@pytest.mark.parametrize("settings", ["threads,posts"], indirect=True)
def test_repeated_confirmation_changes_nothing(client, erased, confirm, ada):
    for _ in range(3):
        confirm(ada.id, "posts")
        assert client.get(erased).json["status"] == "erasing"


def test_confirmation_of_an_unknown_erasure_is_a_fault(confirm, ada):
    for person_id in (ada.id, uuid7()):
        with pytest.raises(UnknownErasure):
            confirm(person_id, "posts")


@pytest.mark.parametrize("settings", ["posts"], indirect=True)
def test_each_write_publishes_the_whole_public_state(client, parts, recorded, ada, bob):
    parts.sql_users.make_moderator("bob")
    path = f"{PATH}/{ada.id}"
    for person, change in (
        (ada, {"display_name": "Ada 🌊", "bio": "Notes.\nMore."}),
        (bob, {"suspended": True}),
        (bob, {"suspended": True, "role": "moderator", "password": PASSWORD}),
        (bob, {"suspended": False, "role": "member", "password": PASSWORD}),
    ):
        assert client.patch(path, json=change, headers=person.headers).status_code == 200
    assert client.delete(path, json={"password": PASSWORD}, headers=ada.headers).status_code == 202
    published = [
        (event.type, event.version, event.data.get("role"), event.data.get("suspended"))
        for event in recorded()
        if event.subject == ada.id
    ]
    assert published == [
        ("user.registered", 1, "member", False),
        ("user.updated", 2, "member", False),
        ("user.suspended", 3, "member", True),
        ("user.updated", 4, "moderator", True),
        ("user.suspended", 5, "member", False),
        ("user.erased", 6, None, None),
    ]
    [appointed] = [event for event in recorded() if event.subject == bob.id and event.version == 2]
    assert (appointed.type, appointed.data["role"]) == ("user.updated", "moderator")
    shown = client.get(f"{PATH}/{bob.id}").json
    assert appointed.data == {name: shown[name] for name in shown if name != "id"} | {
        "suspended": False,
        "sessions_valid_from": 0,
    }
    [changed] = [event for event in recorded() if event.subject == ada.id and event.version == 2]
    assert (changed.data["display_name"], changed.data["bio"]) == ("Ada 🌊", "Notes.\nMore.")


@pytest.mark.parametrize("settings", ["posts"], indirect=True)
def test_refused_or_repeated_write_publishes_nothing(client, recorded, ada, bob):
    new, key = {"username": "grace", "password": PASSWORD}, {"Idempotency-Key": "once"}
    assert client.post(PATH, json=new, headers=key).status_code == 201
    before = recorded()
    assert client.post(PATH, json=new, headers=key).status_code == 201
    assert client.post(PATH, json=new | {"username": "GRACE"}).status_code == 409
    path = f"{PATH}/{ada.id}"
    for headers in (bob.headers, ada.headers | {"If-Match": '"7"'}):
        client.patch(path, json={"bio": "x"}, headers=headers)
        client.delete(path, json={"password": PASSWORD}, headers=headers)
    body = {"current": "wrong", "new": "another horse"}
    assert client.put(f"{PATH}/me/password", json=body, headers=bob.headers).status_code == 403
    assert recorded() == before


@pytest.mark.parametrize("settings", ["posts"], indirect=True)
def test_write_and_its_event_are_atomic(app, recorded, ada, monkeypatch):
    """A crash between a write and its event leaves neither."""

    def crash(*_):
        raise RuntimeError

    app.testing = False
    monkeypatch.setattr("forum.ownership.recorder.OutboxRecorder.record", crash)
    client = app.test_client()
    path = f"{PATH}/{ada.id}"
    for answer in (
        client.delete(path, json={"password": PASSWORD}, headers=ada.headers),
        client.patch(path, json={"bio": "x"}, headers=ada.headers),
        client.post(PATH, json={"username": "grace", "password": PASSWORD}),
    ):
        assert answer.status_code == 500
    monkeypatch.undo()
    shown = client.get(path)
    assert (shown.status_code, shown.json["bio"], version_of(shown.headers["ETag"])) == (200, "", 1)
    assert client.get(f"{path}/erasure").status_code == 404
    assert len(client.get(PATH).json["items"]) == 1
    assert [event.type for event in recorded()] == ["user.registered"]


def test_monolith_alone_publishes_nothing(app, client, recorded, ada, bob):
    client.patch(f"{PATH}/{ada.id}", json={"bio": "x"}, headers=ada.headers)
    assert recorded() == []
