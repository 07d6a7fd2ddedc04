"""Posts of a deleted thread: hidden at once, purged later."""

from itertools import permutations

import pytest

from chassis.clock import uuid7
from chassis.dynamodb.database import Database
from chassis.errors import Unavailable
from chassis.pagination import Cursors
from posts.dynamodb.store import DynamoStore
from posts.event_handlers import PURGE_BATCH
from tests.support.event_factory import thread_event
from tests.support.people import SECRET_KEY
from tests.support.service import race, walk

PATH = "/api/posts"
DELETED = "thread.deleted"


@pytest.fixture
def kept(dynamo, settings):
    """Count the posts and their locations in the tables."""

    def kept():
        return [
            dynamo.client.scan(TableName=settings.table_prefix + table)["Count"]
            for table in ("posts", "posts-places")
        ]

    return kept


@pytest.fixture
def broken(monkeypatch):
    """Make the datastore fail after a number of transactions; a lower number takes precedence."""

    def broken(count):
        transact, left = Database.transact, [count]

        def failing(*arguments):
            left[0] -= 1
            if left[0] < 0:
                detail = "The database is temporarily unavailable."
                raise Unavailable(detail)
            transact(*arguments)

        monkeypatch.setattr(Database, "transact", failing)

    return broken


def test_posts_of_it_disappear_and_others_stay(
    client, ada, bob, threads, thread, write, tell, kept
):
    other = write("Elsewhere", ada, threads.begin())
    gone = [write(f"Number {number}", person) for number in range(3) for person in (ada, bob)]
    client.delete(f"{PATH}/{gone[0]}", headers=ada.headers)
    tell(thread_event(thread, 2, DELETED))
    assert kept() == [1, 1]
    for path in (PATH, f"{PATH}/by-user/{ada.id}"):
        assert [post["id"] for post in walk(client, path)] == [other]
    assert walk(client, f"{PATH}/by-user/{bob.id}") == []
    assert client.get(f"{PATH}/in-thread/{thread}").status_code == 404
    assert {client.get(f"{PATH}/{post}").status_code for post in gone} == {404}


def test_posts_of_it_are_404_at_once_during_a_purge(
    client, ada, moderator, thread, write, tell, broken, kept, recorded
):
    posts = [write(f"Number {number}") for number in range(3)]
    first = client.get(f"{PATH}/in-thread/{thread}", query_string={"limit": 1}).json
    before = recorded()
    broken(1)
    with pytest.raises(Unavailable):
        tell(thread_event(thread, 2, DELETED))
    assert kept() == [3, 3]
    in_thread, path = f"{PATH}/in-thread/{thread}", f"{PATH}/{posts[0]}"
    for answer in (
        client.get(in_thread),
        client.get(in_thread, query_string={"order": "desc"}),
        client.get(in_thread, query_string={"limit": 1, "cursor": first["next"]}),
        client.get(path),
        client.patch(path, json={"body": "Still there?"}, headers=ada.headers),
        client.delete(path, headers=ada.headers),
        client.delete(path, headers=moderator.headers),
        client.post(PATH, json={"thread_id": thread, "body": "x"}, headers=ada.headers),
    ):
        assert answer.status_code == 404
        assert answer.json["detail"] in {"Thread not found.", "Post not found."}
    assert recorded() == before


def test_interrupted_purge_continues_on_redelivery(
    client, thread, write, tell, broken, monkeypatch, kept
):
    count = 2 * PURGE_BATCH + 3
    posts = [write(f"Number {number}") for number in range(count)]
    deleted = thread_event(thread, 2, DELETED)
    left = count
    for transactions in (0, 1, 2):
        broken(transactions)
        with pytest.raises(Unavailable):
            tell(deleted)
        monkeypatch.undo()
        # The first one says that the thread is deleted.
        left -= PURGE_BATCH if transactions == 2 else 0
        assert kept() == [left, left]
    tell(deleted)
    assert kept() == [0, 0]
    tell(deleted)
    assert client.get(f"{PATH}/{posts[-1]}").status_code == 404


def test_longest_posts_are_purged_too(client, ada, thread, tell, kept):
    body = "&" * 16_000
    for _ in range(PURGE_BATCH + 1):
        new = {"thread_id": thread, "body": body}
        assert client.post(PATH, json=new, headers=ada.headers).status_code == 201
    tell(thread_event(thread, 2, DELETED))
    assert kept() == [0, 0]


def test_deletion_is_final_in_any_order_of_events(client, ada, threads, tell, kept):
    for order in permutations((1, 2, 3, 4)):
        thread = threads.begin()
        new = {"thread_id": thread, "body": "Hello"}
        assert client.post(PATH, json=new, headers=ada.headers).status_code == 201
        history = [thread_event(thread, version, locked=version == 2) for version in (1, 2, 3)]
        history.append(thread_event(thread, 4, DELETED))
        for version in (*order, *order):
            tell(history[version - 1])
        assert client.post(PATH, json=new, headers=ada.headers).status_code == 404
        assert client.get(f"{PATH}/in-thread/{thread}").status_code == 404
    assert kept() == [0, 0]


def test_deletion_before_any_other_event_refuses_posts(client, ada, threads, tell):
    thread = threads.begin()  # and threads itself would still say that it is there
    tell(thread_event(thread, 2, DELETED), thread_event(thread, 1))
    new = {"thread_id": thread, "body": "Hello"}
    assert client.post(PATH, json=new, headers=ada.headers).status_code == 404
    assert threads.asked == []


def test_thread_without_posts_is_deleted_too(client, tell):
    thread = uuid7()
    tell(thread_event(thread, 2, DELETED))
    assert client.get(f"{PATH}/in-thread/{thread}").status_code == 404


def test_old_cursor_does_not_open_a_deleted_thread(client, thread, write, tell):
    last = write()
    tell(thread_event(thread, 2, DELETED))
    cursor = Cursors(SECRET_KEY).encode(f"posts:in-thread:{thread}:asc", (last,))
    answer = client.get(f"{PATH}/in-thread/{thread}", query_string={"cursor": cursor})
    assert answer.status_code == 404


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_edit_during_the_purge_is_404_and_publishes_nothing(
    client, ada, thread, write, tell, kept, recorded, monkeypatch, method
):
    path, replace = f"{PATH}/{write()}", DynamoStore.replace
    before = recorded()

    def interrupted(*arguments):
        tell(thread_event(thread, 2, DELETED))
        replace(*arguments)

    monkeypatch.setattr(DynamoStore, "replace", interrupted)
    body = {"json": {"body": "Too late"}} if method == "patch" else {}
    assert getattr(client, method)(path, headers=ada.headers, **body).status_code == 404
    assert kept() == [0, 0]
    assert recorded() == before


def test_posts_racing_with_a_deletion_are_all_purged(app, ada, thread, tell, kept, recorded):
    tell(thread_event(thread))

    def create_or_delete(racer, number):
        if number % 10 == 5:
            tell(thread_event(thread, 2, DELETED))
        new = {"thread_id": thread, "body": f"Number {number}"}
        return racer.post(PATH, json=new, headers=ada.headers)

    answers = race(app, create_or_delete)
    assert {answer.status_code for answer in answers} <= {201, 404}
    assert kept() == [0, 0]
    written = {answer.json["id"] for answer in answers if answer.status_code == 201}
    # Each acknowledged post also has its event, although it is purged already.
    assert {event.subject for event in recorded()} == written


def test_idempotent_response_outlives_the_thread(client, ada, thread, tell):
    headers = ada.headers | {"Idempotency-Key": "once"}
    new = {"thread_id": thread, "body": "Once"}
    first = client.post(PATH, json=new, headers=headers)
    tell(thread_event(thread, 2, DELETED))
    again = client.post(PATH, json=new, headers=headers)
    assert (again.status_code, again.data) == (201, first.data)
