"""The counted posts as a store: pages, copies, what a move writes, and the comparison of counts."""

from itertools import chain

import pytest

from chassis.clock import format_timestamp, utc_now, uuid7
from chassis.dynamodb.database import Database
from chassis.ownership.records import TOMBSTONE
from threads.dynamodb.post_counter import MAX_POSTS, TALLY, THREADS, CountedPost, PostCounter

PATH = "/api/threads"
NOW = format_timestamp(utc_now())


@pytest.fixture
def counter(database):
    return PostCounter(database, utc_now)


def post(thread, version=1, *, deleted=False, **more):
    """Return a post's record as its owner has it."""
    record = {"id": uuid7(), "thread_id": thread, "version": version, "deleted": deleted}
    return record | {"created_at": NOW, "body": "not counted"} | more


def counted(record, **more):
    """Return what is counted of a post."""
    return {name: record[name] for name in ("id", "thread_id", "version", "deleted")} | more


def count_of(client, thread):
    return client.get(f"{PATH}/{thread}").json["post_count"]


def test_records_of_a_move_are_counted_once(counter, client, begin):
    one, two = begin("One"), begin("Two")
    records = [
        post(one),
        post(two),
        post(one, 2, deleted=True),
        post(one),
        post(two) | {TOMBSTONE: 1},
    ]
    for _ in range(2):
        counter.write_records(records)
        assert (count_of(client, one), count_of(client, two)) == (2, 1)


def test_new_records_are_counted_after_a_known_one(counter, client, begin):
    thread = begin("One more")
    known, new = post(thread), post(thread)
    counter.write_records([known])
    counter.write_records([known, new])
    assert count_of(client, thread) == 2


def test_more_records_than_a_transaction_has_room_for_are_counted(counter, client, begin):
    thread = begin("Long")
    counter.write_records([post(thread) for _ in range(2 * MAX_POSTS + 1)])
    assert count_of(client, thread) == 2 * MAX_POSTS + 1


def test_records_of_an_unknown_thread_are_left_to_events(counter, client, begin, database, dynamo):
    unknown, thread = "00000000-0000-7000-8000-000000000000", begin("Known")
    with dynamo.counted() as calls:
        counter.write_records([post(unknown) for _ in range(MAX_POSTS + 1)] + [post(thread)])
    assert calls == {"BatchGetItem": 2, "TransactWriteItems": 1}, "the thread is looked for once"
    assert count_of(client, thread) == 1
    assert len(database.scan(TALLY, None)[0]) == 1


def test_counted_posts_are_read_in_pages(counter, client, begin, ada):
    kept, gone = begin("Kept"), begin("Gone")
    records = [post(kept), post(kept, 3, deleted=True), post(gone), post(kept), post(gone)]
    counter.write_records(records)
    client.delete(f"{PATH}/{gone}", headers=ada.headers)
    after, pages = "", []
    while after is not None:
        found, after = counter.read_page(after, 2)
        pages.append(found)
    assert all(len(page) <= 2 for page in pages)
    expected = [
        counted(one) | ({TOMBSTONE: True} if one["thread_id"] == gone else {}) for one in records
    ]
    assert sorted(chain.from_iterable(pages), key=str) == sorted(expected, key=str)


def test_event_of_a_counted_version_is_noted(counter, begin, database):
    thread = begin("Traced")
    moved, told = (
        post(thread),
        CountedPost(uuid7(), 2, deleted=False, created_at=NOW, event_id="event-1"),
    )
    counter.write_records([moved])
    counter.count(thread, [told])
    found = {item["post_id"]: item.get("event_id") for item in database.scan(TALLY, None)[0]}
    assert found == {moved["id"]: None, told.id: "event-1"}


def test_copies_are_found_by_their_posts(counter, begin):
    thread = begin("Read")
    known, unknown = post(thread, 4), post(thread)
    counter.write_records([known])
    assert counter.read_copies([unknown, known]) == {known["id"]: counted(known)}
    projected = {name: known[name] for name in ("id", "version", "deleted")}
    assert counter.project(known) == projected


@pytest.mark.parametrize("repair", [False, True])
def test_wrong_count_is_named_and_repaired_on_request(counter, client, begin, database, repair):
    right, wrong = begin("Right"), begin("Wrong")
    counter.write_records([post(right), post(wrong), post(wrong), post(wrong, deleted=True)])
    set_count(database, wrong, 7)
    assert counter.recount([right, wrong], repair=repair) == {wrong: "post_count is 7, not 2"}
    assert count_of(client, wrong) == (2 if repair else 7)
    assert count_of(client, right) == 1


def test_thread_without_posts_has_a_count_too(counter, client, begin, database):
    thread = begin("Empty")
    assert counter.recount([thread], repair=True) == {}
    set_count(database, thread, 1)
    assert counter.recount([thread], repair=True) == {thread: "post_count is 1, not 0"}
    assert count_of(client, thread) == 0


def test_more_posts_than_a_page_are_recounted(counter, client, begin, database):
    thread = begin("Very long")
    numbers = range(1_500)
    tallied = [
        {"thread_id": thread, "post_id": f"{number:05}", "version": 1, "deleted": number % 3 == 0}
        for number in numbers
    ]
    database.put_items(TALLY, tallied)
    assert counter.recount([thread], repair=True) == {thread: "post_count is 0, not 1000"}
    assert counter.recount([thread], repair=True) == {}


def test_deleted_thread_has_no_count(counter, client, begin, ada):
    gone, wrong = begin("Gone"), begin("Wrong")
    counter.write_records([post(gone), post(wrong)])
    client.delete(f"{PATH}/{gone}", headers=ada.headers)
    set_count(counter._db, wrong, 3)
    # Whatever the order is in which they are read.
    assert counter.recount([gone, wrong], repair=False) == {wrong: "post_count is 3, not 1"}


def set_count(database, thread, count):
    database.transact(
        [database.update(THREADS, {"id": thread}, "SET post_count = :count", count=count)]
    )


class Between(Database):
    """A database in which something happens before a thread is read, or changed."""

    def __init__(self, database, happen, *, read):
        super().__init__(database.client, database.prefix)
        self.happen, self.read = happen, read

    def get(self, *arguments, **options):
        if self.read:
            self.happen()
        return super().get(*arguments, **options)

    def transact(self, actions):
        if not self.read:
            self.happen()
        super().transact(actions)


@pytest.mark.parametrize("read", [True, False], ids=["after the posts", "after the thread"])
def test_count_that_changes_meanwhile_stays(begin, database, client, read):
    thread = begin("Busy")
    set_count(database, thread, 7)
    busy = Between(database, lambda: set_count(database, thread, 8), read=read)
    found = PostCounter(busy, utc_now).recount([thread], repair=True)
    assert found == ({} if read else {thread: "post_count is 7, not 0"})
    assert count_of(client, thread) == 8


def test_thread_that_is_deleted_meanwhile_is_not_named(begin, database, client, ada):
    thread = begin("Ends")
    set_count(database, thread, 7)
    wrong = begin("Stays")
    set_count(database, wrong, 3)
    end = Between(
        database, lambda: client.delete(f"{PATH}/{thread}", headers=ada.headers), read=True
    )
    found = PostCounter(end, utc_now).recount([thread, wrong], repair=True)
    assert found == {wrong: "post_count is 3, not 0"}
