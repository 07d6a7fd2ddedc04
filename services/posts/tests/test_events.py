"""Events of the service: recorded with each write, according to their schemas."""

import pytest
from jsonschema import Draft202012Validator

from chassis.clock import parse_timestamp, uuid7
from chassis.messaging.events import parse_event
from posts import events
from posts.domain import DOMAIN
from posts.event_handlers import EventHandlers
from tests.support import schemas
from tests.support.event_factory import thread_event, user_event

PATH = "/api/posts"
OWN = {events.CREATED, events.UPDATED, events.DELETED}


def summary(event):
    return event.type, event.subject, event.version


def test_every_event_of_a_post_has_a_schema_whose_examples_fit():
    assert set(schemas.kinds("posts")) == OWN
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
    assert DOMAIN.subscription.component == "posts"
    assert set(DOMAIN.consumed_event_types) == EventHandlers(database, outbox).handlers().keys()
    assert len(set(DOMAIN.consumed_event_types)) == len(DOMAIN.subscription.event_types) == 7


def test_new_post_publishes_its_whole_public_state(client, ada, thread, write, recorded):
    post = write("Hello, **you** 🧭\n<b>")
    shown = client.get(f"{PATH}/{post}").json
    [event] = recorded()
    assert summary(event) == ("post.created", post, 1)
    assert event.data == {
        "thread_id": thread,
        "author_id": ada.id,
        "body": "Hello, **you** 🧭\n<b>",
        "created_at": shown["created_at"],
        "edited_at": None,
        "deleted": False,
    }
    assert event.time >= parse_timestamp(shown["created_at"])


def test_each_change_publishes_the_new_state_and_version(client, ada, moderator, write, recorded):
    path = f"{PATH}/{write('One')}"
    changed = [
        client.patch(path, json={"body": body}, headers=ada.headers).json
        for body in ("Two", "Three")
    ]
    assert client.delete(path, headers=moderator.headers).status_code == 204
    created, *edited, deleted = recorded()
    assert [summary(event) for event in edited] == [
        ("post.updated", changed[0]["id"], version) for version in (2, 3)
    ]
    for event, seen in zip(edited, changed, strict=True):
        assert event.data == created.data | {name: seen[name] for name in ("body", "edited_at")}
    assert summary(deleted) == ("post.deleted", changed[0]["id"], 4)
    assert deleted.data == created.data | {"body": "", "deleted": True}


@pytest.mark.parametrize("body", ["𝕏" * 16_000, "\n" * 15_999 + "x", "&" * 16_000])
def test_longest_post_is_published_whole(client, ada, thread, recorded, body):
    # As it is, since escapes would make it longer than a request may be.
    data = f'{{"thread_id": "{thread}", "body": "{body}"}}'.replace("\n", "\\n").encode()
    made = client.post(PATH, data=data, headers=ada.headers, content_type="application/json")
    assert made.status_code == 201
    [event] = recorded()
    assert event.data["body"] == body


def test_refused_or_repeated_write_publishes_nothing(
    client, ada, bob, thread, write, tell, recorded
):
    new = {"thread_id": thread, "body": "Once"}
    key = ada.headers | {"Idempotency-Key": "once"}
    for _ in range(2):
        assert client.post(PATH, json=new, headers=key).status_code == 201
    path, gone = f"{PATH}/{write()}", f"{PATH}/{write()}"
    assert client.delete(gone, headers=ada.headers).status_code == 204
    before = recorded()
    assert len(before) == 4
    assert client.delete(gone, headers=ada.headers).status_code == 204
    tell(thread_event(thread, 2, locked=True))
    for answer in (
        client.post(PATH, json=new | {"body": "Other"}, headers=key),
        client.post(PATH, json=new, headers=ada.headers),
        client.post(PATH, json=new | {"thread_id": uuid7()}, headers=ada.headers),
        client.post(PATH, json=new | {"body": ""}, headers=ada.headers),
        client.patch(path, json={"body": "Bob's"}, headers=bob.headers),
        client.patch(path, json={"body": "x"}, headers=ada.headers | {"If-Match": '"7"'}),
        client.patch(gone, json={"body": "x"}, headers=ada.headers),
        client.delete(path, headers=bob.headers),
        client.delete(f"{PATH}/{uuid7()}", headers=ada.headers),
    ):
        assert answer.status_code >= 400
    assert recorded() == before


def test_consumed_events_are_not_published_again(ada, thread, write, tell, recorded):
    post = write()
    tell(
        thread_event(thread, 2),
        user_event(ada, 2, name="Ada L."),
        thread_event(thread, 3, events.THREAD_DELETED),
    )
    assert [summary(event) for event in recorded()] == [("post.created", post, 1)]


def test_no_event_of_a_post_contains_a_name(client, ada, moderator, write, recorded):
    path = f"{PATH}/{write('Some text')}"
    client.patch(path, json={"body": "Other text"}, headers=ada.headers)
    client.delete(path, headers=moderator.headers)
    for event in recorded():
        assert ada.name not in event.to_json()
