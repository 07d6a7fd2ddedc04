"""Replicas: the same rows for any order and number of event deliveries."""

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from chassis.auth.tokens import Identity
from chassis.clock import format_timestamp, parse_timestamp, uuid7
from chassis.errors import Failure
from chassis.markdown import render
from chassis.messaging.events import Event, MalformedEvent, parse_event
from chassis.words import beginnings
from forum.bootstrap import Bootstrap
from forum.domains import subscription
from forum.outbox import OutboxRow
from forum.posts.models import PostRow
from forum.threads.models import ThreadRow, ThreadWord
from forum.users.models import UserRow
from forum.users.port import SessionClaims
from monolith.tests.support.event_histories import START, happen
from tests.support.schemas import examples

ALL = frozenset({"users", "threads", "posts"})


@pytest.fixture
def parts(make_settings):
    parts = Bootstrap(make_settings(extracted="users,threads,posts", session_private_key=""))
    yield parts
    parts.database.engine.dispose()


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_events_in_any_order_and_repeated_end_in_the_same_rows(parts, data, seed):
    _empty(parts)
    history = happen(seed, people=2, threads=2, posts=3)
    twice = data.draw(st.lists(st.sampled_from(history.events), max_size=8), label="twice")
    order = data.draw(st.permutations(history.events + twice), label="order")
    handlers = parts.event_handlers()
    for event in order:
        if data.draw(st.booleans(), label="somebody writes first"):
            _write(parts, data.draw(st.sampled_from(history.events), label="session"))
        handlers[event.type](event)
    _must_hold(parts, history)


def test_concurrent_events_end_in_the_same_rows_without_deadlock(parts):
    history = happen(1, people=6, threads=4, posts=60)
    chance = random.Random(1)
    order = history.events * 2
    chance.shuffle(order)
    handlers = parts.event_handlers()

    def apply(event):
        if chance.random() < 0.2:
            _write(parts, event)
        handlers[event.type](event)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(apply, order))
    _must_hold(parts, history)


def _write(parts, event):
    """Write with a session of this version of the account."""
    if event.type == "user.erased" or not event.type.startswith("user"):
        return
    claims = SessionClaims(
        event.data["username"],
        event.data["display_name"],
        event.data["role"],
        event.data["suspended"],
        event.version,
    )
    identity = Identity(event.subject, "s", START, claims, "")
    with suppress(Failure), parts.database.writing() as session:
        parts.actors.current().authorize_writer(session, identity)


def _must_hold(parts, history):
    with parts.database.reading() as session:
        people = {row.id: row for row in session.scalars(select(UserRow))}
        threads = {row.id: row for row in session.scalars(select(ThreadRow))}
        posts = {row.id: row for row in session.scalars(select(PostRow))}
        found = {(word.thread_id, word.word) for word in session.scalars(select(ThreadWord))}
        published = [parse_event(text) for text in session.scalars(select(OutboxRow.event))]
    erased = {}
    assert people.keys() == history.last("user").keys()
    for person, event in history.last("user").items():
        row = people[person]
        if event.type == "user.erased":
            erased[person] = event.version
            assert (row.erased, row.display_name, row.username) == (True, "former member", "")
            assert (row.bio, row.role, row.suspended) == ("", "member", False)
        else:
            assert not row.erased
            shown = {name: getattr(row, name) for name in event.data}
            assert shown | {"created_at": format_timestamp(row.created_at)} == event.data
        assert row.version == event.version
        assert row.username_key is None
    assert {event.subject: event.version for event in published} == erased
    assert len(published) == len(erased), "one confirmation per erased user"
    assert {(event.type, event.source) for event in published} <= {("user.forgotten", "/monolith")}
    newest = history.last("post")
    assert posts.keys() == newest.keys()
    for post, event in newest.items():
        row = posts[post]
        shown = {name: getattr(row, name) for name in event.data}
        shown["created_at"] = format_timestamp(row.created_at)
        shown["edited_at"] = row.edited_at and format_timestamp(row.edited_at)
        assert shown == event.data
        assert row.html == (render(row.body) if row.body else "")
    indexed = set()
    assert threads.keys() == history.last("thread").keys()
    for thread, event in history.last("thread").items():
        row = threads[thread]
        within = [post.data for post in newest.values() if post.data["thread_id"] == thread]
        assert row.version == event.version
        assert row.deleted == (event.type == "thread.deleted")
        assert row.title == event.data.get("title", "")
        assert row.locked == event.data.get("locked", False)
        assert row.author_id == event.data["author_id"]
        assert format_timestamp(row.created_at) == event.data["created_at"]
        assert row.post_count == sum(not post["deleted"] for post in within)
        times = [post["created_at"] for post in within]
        assert row.last_activity_at == parse_timestamp(max([*times, event.data["created_at"]]))
        indexed |= {(thread, word) for word in beginnings(row.title)}
    assert found == indexed


def _empty(parts):
    with parts.database.writing() as session:
        for model in (OutboxRow, PostRow, ThreadWord, ThreadRow, UserRow):
            session.execute(delete(model))


@pytest.mark.parametrize("kind", sorted(set(subscription(ALL).event_types) - {"user.forgotten"}))
def test_producers_examples_are_applied(parts, kind):
    model = {"user": UserRow, "thread": ThreadRow, "post": PostRow}[kind.partition(".")[0]]
    for event in examples(kind):
        parts.event_handlers()[kind](event)
        with parts.database.reading() as session:
            row = session.get(model, event.subject)
            assert row.version == event.version
            shown = {name: getattr(row, name) for name in event.data}
        for name in shown.keys() & {"created_at", "edited_at"}:
            shown[name] = shown[name] and format_timestamp(shown[name])
        assert shown == event.data
        assert getattr(row, "erased", False) == (kind == "user.erased")
        assert getattr(row, "deleted", False) == event.data.get("deleted", kind == "thread.deleted")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("user.updated", {"display_name": "No more than this"}),
        ("thread.created", {"title": "T", "author_id": "a", "created_at": 5, "locked": False}),
        ("post.created", {"thread_id": "t"}),
    ],
)
def test_event_without_a_required_field_is_malformed(parts, kind, data):
    event = Event(uuid7(), kind, "/elsewhere", uuid7(), 1, START, data)
    with pytest.raises(MalformedEvent):
        parts.event_handlers()[kind](event)


def test_post_of_an_unknown_local_user_is_a_fault(make_settings):
    parts = Bootstrap(make_settings(extracted="posts"))
    [event] = happen(1, people=1, threads=1, posts=1).last("post").values()
    with pytest.raises(LookupError):
        parts.event_handlers()[event.type](event)
    parts.database.engine.dispose()


def test_monolith_subscribes_to_events_of_extracted_domains():
    assert subscription(frozenset()).event_types == ("user.forgotten",)
    assert set(subscription(ALL).event_types) == {
        *(f"user.{what}" for what in ("registered", "updated", "suspended", "erased")),
        *(f"thread.{what}" for what in ("created", "updated", "deleted")),
        *(f"post.{what}" for what in ("created", "updated", "deleted")),
    }
    assert subscription({"threads"}).component == "monolith"
