"""Counters of a thread's posts: events in any order, duplicated, and concurrent."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.clock import format_timestamp, parse_timestamp, utc_now, uuid7
from chassis.dynamodb.database import Database
from chassis.errors import CutoverInProgress, Unavailable
from chassis.messaging.events import Event, MalformedEvent
from chassis.ownership.state import OwnershipState, State
from tests.support import schemas
from tests.support.etags import version_of
from tests.support.event_factory import post_event
from tests.support.service import walk
from threads import events
from threads.bootstrap import ThreadsService
from threads.domain import DOMAIN
from threads.dynamodb import items, tables
from threads.event_handlers import UnknownThread
from threads.model import Thread

PATH = "/api/threads"
POST = (events.POST_CREATED, events.POST_UPDATED, events.POST_DELETED)


def shown(client, thread):
    """Return a thread's public counters of posts."""
    seen = client.get(f"{PATH}/{thread}").json
    return seen["post_count"], seen["last_activity_at"]


def expected_counters(began: str, history: list[Event]) -> tuple[int, str]:
    """Compute a thread's expected counters from all events of its posts."""
    newest: dict[str, Event] = {}
    for event in sorted(history, key=lambda event: event.version):
        newest[event.subject] = event
    count = sum(not event.data["deleted"] for event in newest.values())
    return count, max([began, *(event.data["created_at"] for event in newest.values())])


def post_lifecycle(thread, created_at, edits=0, *, deleted=False):
    """Build the events of a post's life cycle."""
    kinds = ["post.created", *["post.updated"] * edits, *["post.deleted"] * deleted]
    post = uuid7()
    return [
        post_event(thread, kind, post_id=post, version=version, created_at=created_at)
        for version, kind in enumerate(kinds, 1)
    ]


@pytest.fixture
def later():
    """Yield times after now, one each second."""
    start = utc_now()
    return lambda seconds: start + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "example", [pytest.param(one, id=one.id) for kind in POST for one in schemas.examples(kind)]
)
def test_post_event_updates_count_and_activity(example, client, database, tell):
    thread_id, began = example.data["thread_id"], parse_timestamp("2020-01-01T00:00:00.000Z")
    thread = Thread(
        id=thread_id,
        title="T",
        author_id="a",
        author_name="",
        created_at=began,
        last_activity_at=began,
        post_count=0,
        locked=False,
        version=1,
    )
    assert database.put_item_if("threads", items.to_item(thread), "")
    tell(example)
    count = 0 if example.type == "post.deleted" else 1
    assert shown(client, thread_id) == (count, example.data["created_at"])


def test_post_counts_and_moves_its_thread_up(client, begin, later, tell):
    old, new = begin("Old"), begin("New")
    assert [thread["id"] for thread in walk(client, PATH)] == [new, old]
    tell(post_event(old, created_at=later(1)))
    assert shown(client, old) == (1, format_timestamp(later(1)))
    assert [thread["id"] for thread in walk(client, PATH)] == [old, new]
    assert [thread["id"] for thread in walk(client, PATH, sort="newest")] == [new, old]
    tell(post_event(new, created_at=later(2)))
    assert [thread["id"] for thread in walk(client, PATH, limit=1)] == [new, old]


def test_deleted_post_is_not_counted_but_its_activity_stays(client, begin, later, tell):
    thread, other = begin("Quiet"), begin("Other")
    kept = post_lifecycle(thread, later(1))
    gone = post_lifecycle(thread, later(3), deleted=True)
    tell(*post_lifecycle(other, later(2)), *kept, *gone)
    assert shown(client, thread) == (1, format_timestamp(later(3)))
    assert [one["id"] for one in walk(client, PATH)] == [thread, other]


def test_edited_post_counts_once_and_is_no_activity(client, begin, later, tell, dynamo):
    thread = begin("Edited")
    first, *edits = post_lifecycle(thread, later(1), edits=3)
    tell(first)
    with dynamo.counted() as calls:
        tell(*edits)
    assert shown(client, thread) == (1, format_timestamp(later(1)))
    assert calls == {"BatchGetItem": 3, "TransactWriteItems": 3}


def test_posts_change_neither_version_nor_title_of_the_thread(client, begin, ada, later, tell):
    path = f"{PATH}/{(thread := begin('Mine'))}"
    before = client.get(path)
    tell(*post_lifecycle(thread, later(1), edits=1))
    after = client.get(path)
    assert version_of(after.headers["ETag"]) == version_of(before.headers["ETag"]) == 1
    assert after.headers["ETag"] != before.headers["ETag"]
    assert after.json == before.json | {
        "post_count": 1,
        "last_activity_at": format_timestamp(later(1)),
    }
    headers = ada.headers | {"If-Match": '"1"'}
    edited = client.patch(path, json={"title": "Still mine"}, headers=headers)
    assert edited.json == after.json | {"title": "Still mine"}
    assert client.get(path).json == edited.json


def test_counted_post_is_read_but_not_written_again(begin, later, tell, dynamo):
    thread = begin("Counted")
    old, new = post_lifecycle(thread, later(1), deleted=True)
    with dynamo.counted() as calls:
        tell(new)
    assert calls == {"BatchGetItem": 1, "TransactWriteItems": 1}
    with dynamo.counted() as calls:
        tell(new, old, new)
    assert calls == {"BatchGetItem": 3}


def test_threads_and_posts_are_counted_apart(client, begin, later, tell):
    one, two = begin("One"), begin("Two")
    tell(
        *post_lifecycle(one, later(1)),
        *post_lifecycle(one, later(2)),
        *post_lifecycle(two, later(1), deleted=True),
    )
    assert (shown(client, one)[0], shown(client, two)[0]) == (2, 0)


@st.composite
def histories(draw: Callable[..., list[tuple[int, int, bool, list[int]]]]):
    """Draw posts: their creation times, histories, and numbers of deliveries per event."""
    posts = draw(
        st.lists(
            st.tuples(
                st.integers(-5, 20),
                st.integers(0, 2),
                st.booleans(),
                st.lists(st.integers(0, 3), max_size=4),
            ),
            max_size=6,
        )
    )
    return posts, draw(st.randoms(use_true_random=False))


@given(sample=histories())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_events_in_any_order_end_with_the_expected_counters(sample, client, begin, later, tell):
    posts, chance = sample
    thread = begin("Converging")
    began = shown(client, thread)[1]
    history, arriving = [], []
    for seconds, edits, deleted, chosen in posts:
        lifecycle = post_lifecycle(thread, later(seconds), edits, deleted=deleted)
        history += lifecycle
        # The newest comes at least once; of the others each may come often or never.
        arriving += [lifecycle[-1], *(lifecycle[number % len(lifecycle)] for number in chosen)]
    chance.shuffle(arriving)
    active = began
    for event in arriving:
        tell(event)
        before, active = active, shown(client, thread)[1]
        assert active >= before
    assert shown(client, thread) == expected_counters(began, history)
    [listed] = [one for one in walk(client, PATH, limit=100) if one["id"] == thread]
    assert (listed["post_count"], listed["last_activity_at"]) == expected_counters(began, history)


def consume_concurrently(apply, deliveries, consumers=8):
    """Share deliveries among consumers; conflicting ones are redelivered, as from a queue."""
    start = Barrier(consumers)

    def consume(number):
        start.wait(30)
        for event in deliveries[number::consumers]:
            for _ in range(20):
                with suppress(Unavailable):
                    apply(event)
                    break
            else:
                pytest.fail("stayed busy")

    with ThreadPoolExecutor(consumers) as pool:
        list(pool.map(consume, range(consumers)))


def test_concurrent_consumers_neither_lose_nor_double_posts(client, begin, later, tell):
    thread, other = begin("Hot"), begin("Warm")
    began = shown(client, thread)[1]
    chance = random.Random(7)
    history = [
        event
        for number in range(30)
        for event in post_lifecycle(thread, later(number), number % 3, deleted=number % 4 == 3)
    ]
    deliveries = [*history, *history]
    chance.shuffle(deliveries)
    consume_concurrently(tell, deliveries)
    assert shown(client, thread) == expected_counters(began, history)
    assert [one["id"] for one in walk(client, PATH)] == [thread, other]


def test_edits_and_counts_at_the_same_moment_lose_nothing(app, client, begin, ada, later, tell):
    path = f"{PATH}/{(thread := begin('Number 0'))}"
    history = [event for number in range(24) for event in post_lifecycle(thread, later(number))]
    edits = 12

    def edit():
        racer, answers = app.test_client(), []
        for number in range(1, edits + 1):
            answers.append(
                racer.patch(path, json={"title": f"Number {number}"}, headers=ada.headers)
            )
        return answers

    with ThreadPoolExecutor(1) as pool:
        editing = pool.submit(edit)
        consume_concurrently(tell, history, consumers=4)
        answers = editing.result()
    assert {answer.status_code for answer in answers} == {200}
    read = client.get(path)
    assert version_of(read.headers["ETag"]) == 1 + edits
    assert read.json["title"] == f"Number {edits}"
    assert shown(client, thread) == (24, format_timestamp(later(23)))
    assert [one["id"] for one in walk(client, PATH, q=f"number {edits}")] == [thread]


class HookedDatabase(Database):
    """A database with a hook that runs once, right after a read of several items."""

    hook: Callable[[], None] | None = None
    written: tuple[str, ...] = ()
    """The tables that the last transaction was about."""

    def transact(self, actions):
        super().transact(actions)
        self.written = tuple(
            what["TableName"].removeprefix(self.prefix)
            for action in actions
            for what in action.request.values()
        )

    def get_items(self, *wanted, **others):
        found = super().get_items(*wanted, **others)
        hook, self.hook = self.hook, None
        if hook:
            hook()
        return found


@pytest.fixture
def hooked(dynamo, settings):
    """Return a database with a hook between reads and writes."""
    return HookedDatabase(dynamo.client, settings.table_prefix)


@pytest.fixture
def service(settings, hooked):
    """The service on that database."""
    service = ThreadsService(settings)
    service.database = hooked
    return service


def test_edit_and_count_do_not_conflict(client, begin, ada, later, hooked, service, dynamo):
    store, thread_id = service.store, begin("As it was")
    replicas = service.event_handlers()
    read = store.get(thread_id)
    # A count between an edit's read and its write.
    replicas["post.created"](post_event(thread_id, created_at=later(1)))
    store.replace(replace(read, title="Edited", version=2), read)
    assert shown(client, thread_id) == (1, format_timestamp(later(1)))

    def edit():
        body = {"title": "Edited again"}
        answer = client.patch(f"{PATH}/{thread_id}", json=body, headers=ada.headers)
        assert answer.status_code == 200

    # An edit between a count's read and its write.
    hooked.hook = edit
    with dynamo.counted() as calls:
        replicas["post.created"](post_event(thread_id, created_at=later(2)))
    # Two of each: one read is the edit's, of the author's name, and one write is.
    assert (calls["BatchGetItem"], calls["TransactWriteItems"]) == (2, 2)
    assert shown(client, thread_id) == (2, format_timestamp(later(2)))
    assert client.get(f"{PATH}/{thread_id}").json["title"] == "Edited again"


def test_thread_is_written_only_when_it_changes(begin, later, hooked, service):
    thread = begin("Seldom written")
    replicas = service.event_handlers()
    for event, tables_written in zip(
        post_lifecycle(thread, later(1), edits=1, deleted=True),
        [(tables.TALLY.name, "threads"), (tables.TALLY.name,), (tables.TALLY.name, "threads")],
        strict=True,
    ):
        replicas[event.type](event)
        assert hooked.written == tables_written


def test_overtaken_count_keeps_the_later_activity(client, begin, later, hooked, service, tell):
    thread = begin("Overtaken")
    hooked.hook = lambda: tell(post_event(thread, created_at=later(9)))
    replicas = service.event_handlers()
    replicas["post.created"](post_event(thread, created_at=later(5)))
    assert shown(client, thread) == (2, format_timestamp(later(9)))


@pytest.mark.parametrize("others", [0, 1])
def test_concurrent_counts_of_one_post_count_once(
    others, client, begin, later, hooked, service, tell
):
    thread = begin("Twice")
    for _ in range(others):  # a later post, so that the thread's activity does not tell them apart
        tell(post_event(thread, created_at=later(9)))
    latest = format_timestamp(later(9 if others else 1))
    created, deleted = post_lifecycle(thread, later(1), deleted=True)
    replicas = service.event_handlers()
    for first, second, count in ((created, created, 1), (created, deleted, 0)):
        hooked.hook = lambda second=second: tell(second)
        replicas[first.type](first)
        assert shown(client, thread) == (count + others, latest)


def test_posts_of_a_deleted_thread_restore_nothing(
    client, begin, moderator, later, tell, hooked, service, database
):
    thread = begin("Going")
    mark = {"id": thread, "deleted": True, "version": 2}

    def delete():
        path = f"{PATH}/{thread}"
        assert client.delete(path, headers=moderator.headers).status_code == 204

    # The first is being counted while the thread goes, the second comes afterwards.
    hooked.hook = delete
    service.event_handlers()["post.created"](post_event(thread))
    tell(post_event(thread, created_at=later(1)))
    assert database.get("threads", {"id": thread}) == mark
    left = database.query(
        tables.TALLY.name, "thread_id = :thread", limit=10, ascending=True, thread=thread
    )
    assert left == []
    assert walk(client, PATH) == []


def test_post_of_an_unknown_thread_waits_for_the_move_of_threads(settings, database):
    moving = settings.model_copy(update={"live_extraction": True, "owned_elsewhere": True})
    handlers = ThreadsService(moving).event_handlers()
    event = post_event(uuid7())
    with pytest.raises(CutoverInProgress):
        handlers[event.type](event)
    # Once the service owns its domain, it is a fault.
    DOMAIN.ownership(database).save(OwnershipState(State.OPEN))
    with pytest.raises(UnknownThread):
        handlers[event.type](event)


def test_post_of_an_unknown_thread_is_a_fault(tell, database):
    event = post_event(uuid7())
    with pytest.raises(UnknownThread):
        tell(event)
    place = {"thread_id": event.data["thread_id"], "post_id": event.subject}
    assert database.get(tables.TALLY.name, place) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"thread_id": ""},
        {"thread_id": 7},
        {"deleted": "no"},
        {"deleted": None},
        {"created_at": "yesterday"},
        {"created_at": 1_700_000_000},
        {"created_at": "2026-13-01T00:00:00.000Z"},
        {"created_at": "2026-01-01T00:00:00"},
    ],
)
def test_malformed_post_event_is_refused(wrong, client, begin, tell):
    thread = begin("Unharmed")
    before = shown(client, thread)
    event = post_event(thread)
    event.data.update(wrong)
    with pytest.raises(MalformedEvent):
        tell(event)
    assert shown(client, thread) == before


def test_unknown_fields_of_a_post_event_are_ignored(client, begin, later, tell):
    thread = begin("Fine")
    event = post_event(thread, created_at=later(1))
    event.data["mood"] = {"is": "good"}
    tell(event)
    assert shown(client, thread) == (1, format_timestamp(later(1)))
