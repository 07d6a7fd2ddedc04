"""The content of the bench: the requested size, deterministic for a seed."""

from collections import Counter

import pytest

from bench.data.content import NOW, PAGE, Content, Size

SIZE = Size(users=20, threads=30, posts=400, longest=100, pages=5)


@pytest.fixture
def content() -> Content:
    return Content(SIZE)


def test_content_has_the_requested_size(content: Content) -> None:
    texts = list(content.texts())
    assert (len(content.people), len(content.topics), len(texts)) == (20, 30, 400)
    counts = Counter(text.topic.id for text in texts)
    assert counts[content.longest.id] == 100
    assert [counts[topic.id] for topic in content.pages] == [PAGE] * 5
    assert all(counts[topic.id] == topic.posts for topic in content.topics)


def test_same_seed_gives_same_content_and_another_seed_differs() -> None:
    def ids(seed: int) -> list[str]:
        return [text.id + text.body for text in Content(SIZE, seed).texts()]

    assert ids(1) == ids(1)
    assert not set(ids(1)) & set(ids(2))


def test_ids_sort_by_time_and_no_time_is_in_the_future(content: Content) -> None:
    for topic in (content.longest, content.topics[-1]):
        texts = list(content.texts_of(topic, content.topics.index(topic)))
        assert [text.id for text in texts] == sorted(text.id for text in texts)
        assert all(topic.at <= text.at < NOW for text in texts)
        assert texts[-1].at == topic.active
    assert len({text.id for text in content.texts()}) == 400


def test_too_few_posts_for_the_threads_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        list(Content(Size(users=2, threads=9, posts=30, longest=20, pages=5)).texts())
