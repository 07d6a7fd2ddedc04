"""The demo content keeps to the contract's limits and to its own references."""

from collections import Counter

import pytest

from infra.demo.content import Content, read


@pytest.fixture(scope="module")
def content() -> Content:
    return read()


def test_content_has_the_documented_size(content: Content) -> None:
    assert (len(content.people), len(content.threads), len(content.posts)) == (8, 15, 80)


def test_all_named_people_exist_and_have_written(content: Content) -> None:
    assert {post.author for post in content.posts} == {person.username for person in content.people}


def test_names_and_titles_are_unique(content: Content) -> None:
    for values in (
        [person.username.casefold() for person in content.people],
        [thread.slug for thread in content.threads],
        [thread.title.casefold() for thread in content.threads],
        [post.body for post in content.posts],
    ):
        assert [value for value, times in Counter(values).items() if times > 1] == []


def test_texts_are_within_the_limits_of_the_api(content: Content) -> None:
    for person in content.people:
        assert 3 <= len(person.username) <= 30
        assert 1 <= len(person.display_name) <= 50
        assert 1 <= len(person.bio) <= 500
    for thread in content.threads:
        assert 1 <= len(thread.title) <= 120
        assert thread.title == thread.title.strip()
    for post in content.posts:
        assert 1 <= len(post.body) <= 16_000


def test_idempotency_keys_are_unique_visible_ascii(content: Content) -> None:
    keys = [thread.slug for thread in content.threads]
    keys += [f"{post.thread.slug}-{post.number}" for post in content.posts]
    assert len(set(keys)) == len(keys)
    assert all(key.isascii() and key.isprintable() and " " not in key for key in keys)


def test_code_blocks_are_closed(content: Content) -> None:
    fences = {post: post.body.count("```") for post in content.posts}
    assert [post.body for post, count in fences.items() if count % 2] == []


def test_posts_of_a_thread_stay_in_order_and_threads_interleave(content: Content) -> None:
    for thread in content.threads:
        numbers = [post.number for post in content.posts if post.thread == thread]
        assert numbers == list(range(1, len(numbers) + 1))
    latest = {post.thread.slug: place for place, post in enumerate(content.posts)}
    by_activity = sorted(latest, key=lambda slug: latest[slug])
    assert by_activity != [thread.slug for thread in content.threads]
