"""Instances whose clocks differ by hours."""

from datetime import timedelta

import pytest

from chassis.clock import creation_time, parse_timestamp, sort_after, utc_now, uuid7
from posts.bootstrap import PostsService
from tests.support.event_factory import thread_event

HOURS = timedelta(hours=3)


@pytest.fixture
def write_at(settings, ada):
    """Return a function that writes a post on an instance whose clock differs."""

    def write(thread, difference=timedelta(0)):
        service = PostsService(settings, clock=lambda: utc_now() + difference)
        made = (
            service.create_app()
            .test_client()
            .post("/api/posts", json={"thread_id": thread, "body": "Hello"}, headers=ada.headers)
        )
        assert made.status_code == 201
        return made.json

    return write


@pytest.mark.parametrize(("first", "second"), [(HOURS, timedelta(0)), (timedelta(0), -HOURS)])
def test_post_follows_the_newest_one_of_any_clock(client, thread, write_at, tell, first, second):
    older = write_at(thread, first)
    tell(thread_event(thread, 2))  # which keeps the known time
    newer = [write_at(thread, second) for _ in range(3)]
    expected = [older["id"], *(post["id"] for post in newer)]
    listed = client.get(f"/api/posts/in-thread/{thread}").json["items"]
    assert [post["id"] for post in listed] == expected
    times = [post["created_at"] for post in listed]
    assert times == sorted(set(times))


def test_post_follows_the_creation_of_its_thread(write_at, tell):
    thread, created_at = sort_after(uuid7(), utc_now(), utc_now() + HOURS)
    tell(thread_event(thread))
    post = write_at(thread)
    assert parse_timestamp(post["created_at"]) > created_at
    assert creation_time(post["id"]) > created_at


def test_edit_is_not_earlier_than_its_post(client, ada, thread, write_at):
    post = write_at(thread, HOURS)
    edited = client.patch(f"/api/posts/{post['id']}", json={"body": "B"}, headers=ada.headers)
    assert edited.json["edited_at"] == post["created_at"]
