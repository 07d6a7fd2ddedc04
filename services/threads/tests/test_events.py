"""Events of the service: recorded with each write, according to their schemas."""

from jsonschema import Draft202012Validator

from chassis.clock import parse_timestamp, uuid7
from chassis.messaging.events import parse_event
from tests.support import schemas
from tests.support.event_factory import post_event, user_event
from threads import events
from threads.domain import DOMAIN
from threads.event_handlers import EventHandlers

PATH = "/api/threads"
OWN = {events.CREATED, events.UPDATED, events.DELETED}


def summary(event):
    return event.type, event.subject, event.version


def test_every_event_of_a_thread_has_a_schema_whose_examples_fit():
    assert set(schemas.kinds("threads")) == OWN
    for kind in OWN:
        Draft202012Validator.check_schema(schemas.schema(kind))
        assert schemas.examples(kind)
        for example in schemas.examples(kind):
            schemas.validate(example)
            assert example.type == kind


def test_schema_allows_additional_fields():
    for kind in OWN:
        for example in schemas.examples(kind):
            more = parse_event(example.to_json())
            more.data["colour"] = "green"
            schemas.validate(more)


def test_service_handles_every_event_it_subscribes_to(database, outbox):
    assert DOMAIN.subscription.component == "threads"
    assert set(DOMAIN.consumed_event_types) == EventHandlers(database, outbox).handlers().keys()
    assert len(set(DOMAIN.consumed_event_types)) == len(DOMAIN.subscription.event_types) == 7


def test_new_thread_publishes_its_whole_public_state(begin, client, ada, recorded):
    thread = begin("Where to begin? 🧭")
    shown = client.get(f"{PATH}/{thread}").json
    [event] = recorded()
    assert summary(event) == ("thread.created", thread, 1)
    assert event.data == {
        "title": "Where to begin? 🧭",
        "author_id": ada.id,
        "created_at": shown["created_at"],
        "locked": False,
    }
    assert event.time >= parse_timestamp(shown["created_at"])


def test_each_change_publishes_the_new_state_and_version(begin, client, ada, moderator, recorded):
    thread = begin("One")
    for person, change in (
        (ada, {"title": "Two"}),
        (moderator, {"locked": True}),
        (moderator, {"locked": False, "title": "Three"}),
    ):
        answer = client.patch(f"{PATH}/{thread}", json=change, headers=person.headers)
        assert answer.status_code == 200
    assert [summary(event) for event in recorded()[1:]] == [
        ("thread.updated", thread, version) for version in (2, 3, 4)
    ]
    states = [(event.data["title"], event.data["locked"]) for event in recorded()]
    assert states == [("One", False), ("Two", False), ("Two", True), ("Three", False)]
    assert {event.data["author_id"] for event in recorded()} == {ada.id}


def test_deletion_is_published_as_the_last_version(begin, client, ada, moderator, recorded):
    thread = begin("One")
    shown = client.patch(f"{PATH}/{thread}", json={"title": "Two"}, headers=ada.headers).json
    client.delete(f"{PATH}/{thread}", headers=moderator.headers)
    event = recorded()[-1]
    assert summary(event) == ("thread.deleted", thread, 3)
    assert event.data == {"author_id": ada.id, "created_at": shown["created_at"]}


def test_refused_or_repeated_write_publishes_nothing(begin, client, posts, ada, bob, recorded):
    key = ada.headers | {"Idempotency-Key": "once"}
    for _ in range(2):
        assert client.post(PATH, json={"title": "Once"}, headers=key).status_code == 201
    path = f"{PATH}/{begin('Shared')}"
    posts.write(path.rpartition("/")[2], bob.id)
    before = recorded()
    assert len(before) == 2
    for answer in (
        client.post(PATH, json={"title": "Other"}, headers=key),
        client.post(PATH, json={"title": ""}, headers=ada.headers),
        client.patch(path, json={"title": "Bob's"}, headers=bob.headers),
        client.patch(path, json={"title": "x"}, headers=ada.headers | {"If-Match": '"7"'}),
        client.delete(path, headers=bob.headers),
        client.delete(path, headers=ada.headers),
        client.delete(f"{PATH}/{uuid7()}", headers=ada.headers),
    ):
        assert answer.status_code >= 400
    assert recorded() == before


def test_consumed_events_are_not_published_again(begin, ada, tell, recorded):
    thread = begin("Mine")
    tell(post_event(thread), user_event(ada, 2, name="Ada L."))
    assert [summary(event) for event in recorded()] == [("thread.created", thread, 1)]


def test_no_event_of_a_thread_contains_a_name(begin, client, ada, moderator, recorded):
    thread = begin("A title")
    client.patch(f"{PATH}/{thread}", json={"title": "Another"}, headers=ada.headers)
    client.delete(f"{PATH}/{thread}", headers=moderator.headers)
    for event in recorded():
        assert ada.name not in event.to_json()
