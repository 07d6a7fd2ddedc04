"""The replica of users, fed by events: names and permissions."""

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest

from chassis.messaging.events import MalformedEvent
from posts import events
from posts.dynamodb.records import PostRecords
from posts.dynamodb.user_replica import UserReplica
from tests.support import schemas
from tests.support.etags import version_of
from tests.support.event_factory import user_event
from tests.support.service import walk

PATH = "/api/posts"
PERSON = (events.USER_REGISTERED, events.USER_UPDATED, events.USER_SUSPENDED)


@pytest.fixture
def writes(client, thread):
    """Try every kind of write."""

    def writes(post, person):
        path, headers = f"{PATH}/{post}", person.headers
        return [
            client.post(PATH, json={"thread_id": thread, "body": "More"}, headers=headers),
            client.patch(path, json={"body": "Other"}, headers=headers),
            client.delete(path, headers=headers),
        ]

    return writes


def names(client):
    return {post["author"]["display_name"] for post in walk(client, PATH, limit=100)}


@pytest.mark.parametrize(
    "example", [pytest.param(one, id=one.id) for kind in PERSON for one in schemas.examples(kind)]
)
def test_user_event_is_stored_in_the_replica(example, tell, database):
    tell(example)
    assert database.get("posts-people", {"id": example.subject}) == {
        "id": example.subject,
        "version": example.version,
        "display_name": example.data["display_name"],
        "role": example.data["role"],
        "suspended": example.data["suspended"],
        "sessions_valid_from": example.data["sessions_valid_from"],
        "erased": False,
        "event_id": example.id,
    }


@pytest.mark.parametrize("example", schemas.examples(events.USER_ERASED), ids=lambda one: one.id)
def test_erasure_of_an_unknown_user_is_stored_too(example, tell, database, recorded):
    tell(example)
    assert database.get("posts-people", {"id": example.subject})["erased"] is True
    [forgotten] = recorded()
    assert (forgotten.type, forgotten.subject, forgotten.version) == (
        "user.forgotten",
        example.subject,
        example.version,
    )


def test_suspended_user_cannot_write_until_reinstated(client, write, writes, ada, tell):
    post = write("Before")
    tell(user_event(ada, 2, "user.suspended", suspended=True))
    for answer in writes(post, ada):
        assert answer.status_code == 403
        assert answer.json["type"] == "urn:problem:suspended"
    assert client.get(f"{PATH}/{post}").json["body"] == "Before"
    tell(user_event(ada, 3, "user.suspended"))
    assert [answer.status_code for answer in writes(post, ada)] == [201, 200, 204]


def test_session_opened_while_suspended_cannot_write(write, writes, ada, sign_in):
    post = write("Before")
    for answer in writes(post, sign_in("Ada", person=ada, version=2, suspended=True)):
        assert answer.json["type"] == "urn:problem:suspended"
    # Now it is known of the older session too.
    assert {answer.status_code for answer in writes(post, ada)} == {403}


def test_session_newer_than_the_events_is_used(write, ada, tell, sign_in):
    tell(user_event(ada, 2, "user.suspended", suspended=True))
    write("Again", sign_in("Ada", person=ada, version=3))
    # The older session is the same person, who may write again.
    write("Again", ada)


def test_erased_user_cannot_write(client, write, writes, ada, tell):
    post = write("Before")
    tell(user_event(ada, 2, "user.erased"))
    for answer in writes(post, ada):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    shown = client.get(f"{PATH}/{post}").json
    assert shown["author"] == {"id": ada.id, "display_name": "former member"}
    assert shown["body"] == "Before"


def test_suspended_user_gets_403_even_for_an_unknown_post(writes, ada, tell, threads):
    tell(user_event(ada, 2, "user.suspended", suspended=True))
    threads.stop()
    assert [answer.status_code for answer in writes("nowhere", ada)] == [403, 403, 403]
    # No other component is called for them.
    assert threads.asked == []


def test_former_moderator_cannot_moderate(client, write, moderator, tell):
    path = f"{PATH}/{write('Calm')}"
    tell(user_event(moderator, 2, role="member"))
    assert client.delete(path, headers=moderator.headers).status_code == 403
    assert version_of(client.get(path).headers["ETag"]) == 1


def test_new_moderator_needs_no_new_session(client, write, bob, tell):
    path = f"{PATH}/{write('Heated')}"
    assert client.delete(path, headers=bob.headers).status_code == 403
    tell(user_event(bob, 2, role="moderator"))
    assert client.delete(path, headers=bob.headers).status_code == 204


def test_rename_is_one_write_and_shows_everywhere(client, write, ada, bob, thread, dynamo, tell):
    post, *_ = [write(f"Number {number}") for number in range(30)]
    write("Bob's", bob)
    with dynamo.counted() as calls:
        tell(user_event(ada, 2, name="Ada L."))
    assert calls == {"TransactWriteItems": 1}
    assert names(client) == {"Ada L.", "Bob"}
    for path in (f"{PATH}/in-thread/{thread}", f"{PATH}/by-user/{ada.id}"):
        shown = {
            (post["author"]["id"], post["author"]["display_name"]) for post in walk(client, path)
        }
        assert (ada.id, "Ada L.") in shown <= {(ada.id, "Ada L."), (bob.id, "Bob")}
    assert client.get(f"{PATH}/{post}").json["author"]["display_name"] == "Ada L."
    # Also for what is written with a session of before.
    new = {"thread_id": thread, "body": "New"}
    made = client.post(PATH, json=new, headers=ada.headers)
    assert made.json["author"]["display_name"] == "Ada L."
    changed = client.patch(f"{PATH}/{post}", json={"body": "Edited"}, headers=ada.headers)
    assert changed.json["author"]["display_name"] == "Ada L."


def test_newest_name_is_shown_in_any_order_of_events(client, write, sign_in, tell):
    for order in permutations((2, 3, 4)):
        person = sign_in("First")
        post = write("Hello", person)
        for version in (*order, *order):
            tell(user_event(person, version, name=f"Name {version}"))
        assert client.get(f"{PATH}/{post}").json["author"]["display_name"] == "Name 4"


def test_late_events_do_not_restore_an_erased_user(client, write, ada, thread, tell):
    write("Left behind")
    late = [user_event(ada, 1, "user.registered"), user_event(ada, 2, name="Ada L.")]
    tell(late[0], user_event(ada, 3, "user.erased"), *late)
    assert names(client) == {"former member"}
    new = {"thread_id": thread, "body": "I am back"}
    assert client.post(PATH, json=new, headers=ada.headers).status_code == 401
    assert names(client) == {"former member"}


def test_erased_user_leaves_nothing_in_the_replica(write, ada, tell, database):
    write("Left behind")
    tell(user_event(ada, 2, role="moderator"), erased := user_event(ada, 3, "user.erased"))
    assert database.get("posts-people", {"id": ada.id}) == {
        "id": ada.id,
        "version": 3,
        "display_name": "former member",
        "role": "",
        "suspended": False,
        "sessions_valid_from": 0,
        "erased": True,
        "event_id": erased.id,
    }


def test_erased_user_leaves_no_stored_response(client, ada, bob, thread, tell, database):
    for person in (ada, bob):
        new = {"thread_id": thread, "body": f"By {person.id}"}
        headers = person.headers | {"Idempotency-Key": "once"}
        assert client.post(PATH, json=new, headers=headers).status_code == 201
    tell(user_event(ada, 2, "user.erased"))
    stored, _ = database.scan("posts-responses", None)
    assert [item["owner_id"] for item in stored] == [bob.id]


def test_move_brings_no_response_of_an_erased_user(ada, bob, tell, database):
    records = PostRecords(database)
    tell(user_event(ada, 2, "user.erased"))
    head = {"kind": "answer", "fingerprint": "f", "expires": 2**31, "answer": {"id": "x"}}
    keys = [(one.id, f"k{number}") for number in (1, 2) for one in (ada, bob)]
    records.write_auxiliary([head | {"scope": f"{one} /api/posts {key}"} for one, key in keys])
    stored, _ = database.scan("posts-responses", None)
    assert {item["owner_id"] for item in stored} == {bob.id}
    assert len(stored) == 2


def test_response_that_a_move_brings_during_an_erasure_is_deleted(ada, tell, database, monkeypatch):
    records, tombstone = PostRecords(database), UserReplica.tombstone
    scope = f"{ada.id} /api/posts k1"
    head = {"kind": "answer", "fingerprint": "f", "expires": 2**31, "answer": {"id": "x"}}

    def move_meanwhile(self, event):
        records.write_auxiliary([head | {"scope": scope}])
        assert database.scan("posts-responses", None)[0]
        return tombstone(self, event)

    monkeypatch.setattr(UserReplica, "tombstone", move_meanwhile)
    tell(user_event(ada, 2, "user.erased"))
    assert database.scan("posts-responses", None) == ([], None)


def test_forgotten_event_is_published_exactly_once(ada, tell, recorded):
    erased = user_event(ada, 3, "user.erased")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell, [erased] * 24))
    tell(user_event(ada, 2), erased)
    [forgotten] = recorded()
    assert (forgotten.type, forgotten.subject, forgotten.version) == ("user.forgotten", ada.id, 3)
    assert forgotten.data == {}


def test_idempotent_response_is_repeated_to_a_suspended_user(client, ada, thread, tell):
    headers = ada.headers | {"Idempotency-Key": "once"}
    new = {"thread_id": thread, "body": "Once"}
    first = client.post(PATH, json=new, headers=headers)
    tell(user_event(ada, 2, "user.suspended", suspended=True))
    again = client.post(PATH, json=new, headers=headers)
    assert (again.status_code, again.data) == (201, first.data)


@pytest.mark.parametrize(
    "wrong", [{"display_name": None}, {"display_name": ""}, {"suspended": "no"}, {"role": 1}]
)
def test_malformed_user_event_is_refused(wrong, ada, tell, database):
    event = user_event(ada, 2)
    event.data.update(wrong)
    with pytest.raises(MalformedEvent):
        tell(event)
    assert database.get("posts-people", {"id": ada.id}) is None
