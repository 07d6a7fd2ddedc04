"""The monolith beside components, and after instances, whose clocks differ by hours."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from chassis.clock import creation_time, parse_timestamp, sort_after, utc_now, uuid7
from forum.app import create_app
from forum.bootstrap import Bootstrap
from forum.threads.models import ThreadRow
from monolith.tests.conftest import _dispose
from tests.support.event_factory import post_event, thread_event

HOURS = timedelta(hours=3)


@pytest.fixture
def create_at(settings, register):
    """Return a function that creates something on an instance whose clock differs."""
    ada = register("ada")

    difference = timedelta(0)
    app = create_app(settings, lambda: utc_now() + difference)
    client = app.test_client()

    def create(path, body, by=timedelta(0)):
        nonlocal difference
        difference = by
        made = client.post(path, json=body, headers=ada.headers)
        assert made.status_code == 201
        return made.json

    yield create
    _dispose(app)


@pytest.mark.parametrize(("first", "second"), [(HOURS, timedelta(0)), (timedelta(0), -HOURS)])
def test_post_follows_the_newest_one_of_another_clock(client, create_at, first, second):
    thread = create_at("/api/threads", {"title": "One"}, -HOURS)["id"]
    new = {"thread_id": thread, "body": "Hello"}
    posts = [create_at("/api/posts", new, by) for by in (first, second, second, second)]
    listed = client.get(f"/api/posts/in-thread/{thread}").json["items"]
    assert [post["id"] for post in listed] == [post["id"] for post in posts]
    times = [post["created_at"] for post in listed]
    assert times == sorted(set(times))


@pytest.fixture
def replica(make_settings):
    """Return a function that applies events at a time, and returns a thread's activity."""
    settings = make_settings(extracted="users,threads,posts", session_private_key="")
    made = []

    def apply(now, thread, *events):
        parts = Bootstrap(settings, lambda: now)
        made.append(parts.database.engine)
        for event in events:
            parts.event_handlers()[event.type](event)
        with parts.database.reading() as session:
            query = select(ThreadRow.last_activity_at).where(ThreadRow.id == thread)
            return session.scalars(query).one()

    yield apply
    for engine in made:
        engine.dispose()


@pytest.mark.parametrize("post_first", [True, False])
def test_replica_takes_a_clock_that_is_ahead_as_present(replica, post_first):
    now, minute = utc_now(), timedelta(minutes=1)
    thread, created_at = sort_after(uuid7(), now, now + HOURS)
    post = uuid7()
    events = [thread_event(thread), post_event(thread, post_id=post, created_at=created_at)]
    events[0].data["created_at"] = events[1].data["created_at"]
    assert replica(now, thread, *(reversed(events) if post_first else events)) == now
    # Neither a later delivery nor a later version moves it.
    changed = thread_event(thread, 2)
    changed.data["created_at"] = events[0].data["created_at"]
    edited = post_event(thread, "post.updated", post_id=post, version=2, created_at=created_at)
    assert replica(now + minute, thread, *events, changed, edited) == now


def test_replica_takes_a_difference_within_the_leeway_as_it_is(replica):
    now, thread = utc_now(), uuid7()
    created_at = now + timedelta(seconds=90)
    events = thread_event(thread), post_event(thread, created_at=created_at)
    assert replica(now, thread, *events) == created_at


def test_post_follows_the_creation_of_its_thread(create_at):
    thread = create_at("/api/threads", {"title": "One"})["id"]
    post = create_at("/api/posts", {"thread_id": thread, "body": "Hello"}, -HOURS)
    assert parse_timestamp(post["created_at"]) > creation_time(thread)
