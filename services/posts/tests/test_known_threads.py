"""The replica of threads, fed by events: existence and locks."""

from itertools import permutations

import pytest

from chassis.clock import uuid7
from chassis.messaging.events import MalformedEvent
from posts import events
from posts.dynamodb.store import DynamoStore
from tests.support import schemas
from tests.support.event_factory import thread_event
from tests.support.service import walk

PATH = "/api/posts"
THREAD = (events.THREAD_CREATED, events.THREAD_UPDATED)
EXAMPLES = [one for kind in (*THREAD, events.THREAD_DELETED) for one in schemas.examples(kind)]


@pytest.fixture
def post_in(client, ada):
    """Try to write in a thread, and return the response."""

    def post_in(thread, **more):
        new = {"thread_id": thread, "body": "Hello"}
        return client.post(PATH, json=new, headers=ada.headers | more)

    return post_in


@pytest.mark.parametrize(
    "example", [pytest.param(one, id=one.id) for kind in THREAD for one in schemas.examples(kind)]
)
def test_thread_event_is_stored_in_the_replica(example, tell, database, post_in, threads):
    tell(example)
    assert database.get("posts-threads", {"id": example.subject}) == {
        "id": example.subject,
        "version": example.version,
        "title": example.data["title"],
        "locked": example.data["locked"],
        "deleted": False,
        "event_id": example.id,
    }
    assert post_in(example.subject).status_code == (409 if example.data["locked"] else 201)
    assert threads.asked == []


@pytest.mark.parametrize("example", schemas.examples(events.THREAD_DELETED), ids=lambda one: one.id)
def test_deletion_of_an_unknown_thread_is_stored_too(example, tell, database, post_in):
    tell(example)
    assert database.get("posts-threads", {"id": example.subject}) == {
        "id": example.subject,
        "version": example.version,
        "title": "",
        "locked": False,
        "deleted": True,
        "event_id": example.id,
    }
    assert post_in(example.subject).status_code == 404


@pytest.mark.parametrize("subject", sorted({example.subject for example in EXAMPLES}))
def test_thread_events_in_any_order_end_with_the_newest(subject, dynamo, settings, database, tell):
    history = [example for example in EXAMPLES if example.subject == subject]
    newest = max(history, key=lambda example: example.version)
    table, key = f"{settings.table_prefix}posts-threads", {"id": {"S": subject}}
    for order in permutations(history):
        dynamo.client.delete_item(TableName=table, Key=key)
        tell(*order, *order)
        assert database.get("posts-threads", {"id": subject})["event_id"] == newest.id


def test_thread_known_by_events_takes_posts_without_threads(post_in, threads, tell):
    thread = uuid7()
    threads.stop()
    assert post_in(thread).status_code == 503
    tell(thread_event(thread))
    assert post_in(thread).status_code == 201
    assert threads.asked == []


def test_unknown_thread_is_requested_once(client, post_in, threads, thread):
    assert client.get(f"{PATH}/in-thread/{thread}").json["items"] == []
    assert post_in(thread).status_code == 201
    threads.stop()
    assert post_in(thread).status_code == 201
    assert threads.asked == [f"GET /api/threads/{thread}"]


def test_empty_thread_known_by_events_is_listed_without_threads(client, threads, tell):
    thread = uuid7()
    threads.stop()
    tell(thread_event(thread, 2, locked=True))
    answer = client.get(f"{PATH}/in-thread/{thread}")
    assert (answer.status_code, answer.json["items"]) == (200, [])


def test_posts_of_a_thread_missing_in_the_replica_are_listed(
    client, dynamo, settings, write, thread
):
    post = write()
    dynamo.client.delete_item(
        TableName=f"{settings.table_prefix}posts-threads", Key={"id": {"S": thread}}
    )
    assert [one["id"] for one in walk(client, f"{PATH}/in-thread/{thread}")] == [post]
    assert client.get(f"{PATH}/{post}").status_code == 200


def test_lock_and_unlock_arrive_by_events(post_in, thread, tell, client, write, ada):
    path = f"{PATH}/{write()}"
    tell(thread_event(thread, 2, locked=True))
    refused = post_in(thread)
    assert (refused.status_code, refused.json["type"]) == (409, "urn:problem:thread-locked")
    assert client.patch(path, json={"body": "Better"}, headers=ada.headers).status_code == 200
    tell(thread_event(thread, 3))
    assert post_in(thread).status_code == 201


ENDS = {
    "locked": ({"locked": True}, 409),
    "deleted": ({"kind": "thread.deleted"}, 404),
}


@pytest.mark.parametrize("end", ENDS)
def test_newer_event_overrides_the_response_of_threads(
    client, threads, thread, tell, post_in, recorded, end
):
    change, expected = ENDS[end]
    threads.meanwhile = lambda: tell(thread_event(thread, 2, **change))
    assert post_in(thread).status_code == expected
    assert walk(client, PATH) == []
    assert recorded() == []


@pytest.mark.parametrize("end", ENDS)
def test_post_racing_with_a_lock_or_deletion_is_refused(
    client, monkeypatch, thread, tell, post_in, recorded, end
):
    change, expected = ENDS[end]
    tell(thread_event(thread))
    add = DynamoStore.add

    def interrupted(*arguments):
        tell(thread_event(thread, 2, **change))
        add(*arguments)

    monkeypatch.setattr(DynamoStore, "add", interrupted)
    refused = post_in(thread, **{"Idempotency-Key": "k"})
    assert refused.status_code == expected
    assert walk(client, PATH) == []
    assert recorded() == []
    if end == "locked":
        # A refusal is not stored under the key.
        monkeypatch.undo()
        tell(thread_event(thread, 3))
        assert post_in(thread, **{"Idempotency-Key": "k"}).status_code == 201


def test_post_is_written_when_the_thread_is_unlocked_meanwhile(monkeypatch, thread, tell, post_in):
    tell(thread_event(thread))
    add, history = DynamoStore.add, []

    def interrupted(*arguments):
        if not history:
            history.append(thread_event(thread, 2, locked=True))
            tell(*history)
            try:
                add(*arguments)
            finally:
                tell(thread_event(thread, 3))
        else:
            add(*arguments)

    monkeypatch.setattr(DynamoStore, "add", interrupted)
    assert post_in(thread).status_code == 201


def test_repeated_request_during_a_lock_gets_the_first_response(
    monkeypatch, thread, tell, post_in, recorded
):
    key, first, add = {"Idempotency-Key": "k"}, [], DynamoStore.add

    def interrupted(*arguments):
        monkeypatch.undo()
        first.append(post_in(thread, **key))
        tell(thread_event(thread, 2, locked=True))
        add(*arguments)

    monkeypatch.setattr(DynamoStore, "add", interrupted)
    again = post_in(thread, **key)
    assert (again.status_code, again.data) == (201, first[0].data)
    assert len(recorded()) == 1


@pytest.mark.parametrize("wrong", [{"title": None}, {"title": ""}, {"locked": "no"}, {"locked": 0}])
def test_malformed_thread_event_is_refused(wrong, thread, tell, database):
    event = thread_event(thread)
    event.data.update(wrong)
    with pytest.raises(MalformedEvent):
        tell(event)
    assert database.get("posts-threads", {"id": thread}) is None
