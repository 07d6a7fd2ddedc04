"""Writes of the store: each one replaces only the state that was read."""

from dataclasses import replace

import pytest

from chassis.clock import utc_now, uuid7
from chassis.idempotency.keys import DuplicateIdempotencyKey, IdempotencyKey
from posts.bootstrap import PostsService
from posts.model import Post, Thread
from posts.ports import ConcurrentModification


@pytest.fixture
def store(settings):
    return PostsService(settings).store


@pytest.fixture
def post(thread):
    """A post that is not stored yet."""
    return Post(
        id=uuid7(),
        thread_id=thread,
        author_id=uuid7(),
        author_name="former member",
        body="One",
        html="<p>One</p>",
        created_at=utc_now(),
        edited_at=None,
        deleted=False,
        version=1,
    )


@pytest.mark.parametrize("change", ["locked", "deleted"])
def test_post_is_not_added_to_a_thread_that_was_closed(store, post, change):
    thread = Thread(post.thread_id, "T", locked=False, deleted=False, version=1)
    store.store_thread(thread)
    store.store_thread(replace(thread, version=2, **{change: True}))
    with pytest.raises(ConcurrentModification):
        store.add(post, None, {})
    assert store.get(post.id) is None


def test_post_that_changed_meanwhile_is_not_replaced(store, post):
    store.store_thread(Thread(post.thread_id, "T", locked=False, deleted=False, version=1))
    store.add(post, None, {})
    first, second = (replace(post, body=body, version=2) for body in ("First", "Second"))
    store.replace(first, post)
    with pytest.raises(ConcurrentModification):
        store.replace(second, post)
    assert store.get(post.id) == first


def test_second_post_with_a_key_is_not_added(store, post):
    store.store_thread(Thread(post.thread_id, "T", locked=False, deleted=False, version=1))
    key = IdempotencyKey(post.author_id, "/api/posts", "once", "fingerprint")
    store.add(post, key, {})
    other = replace(post, id=uuid7())
    with pytest.raises(DuplicateIdempotencyKey):
        store.add(other, key, {})
    assert store.get(other.id) is None
