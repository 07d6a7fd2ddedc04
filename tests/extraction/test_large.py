"""A large forum: the write freeze does not grow with the amount of data."""

import os
import time

import pytest

from bench.data.content import Content, Size
from bench.data.fill_sql import into_sql
from forum.database import make_engine
from tests.extraction.forum import MovingForum
from tests.extraction.test_all_stages import HELD_AT_MOST

POSTS = 100_000 if os.environ.get("FULL") else 5_000
"""With FULL=1 as many as a forum of some years has."""
SIZE = Size(users=POSTS // 50, threads=POSTS // 20, posts=POSTS, longest=POSTS // 10, pages=10)
WAY = [("extract", "posts"), ("reintegrate", "posts")]


@pytest.fixture(scope="module")
def large(forum: MovingForum) -> MovingForum:
    """Add many posts to the forum."""
    file = forum.stack.config.folder / "forum.sqlite"
    engine = make_engine(f"sqlite:///{file}")
    into_sql(engine, Content(SIZE), lambda _: None, credentials=True)
    engine.dispose()
    return forum


def test_large_forum_moves_while_people_write_with_short_freezes(large: MovingForum) -> None:
    began = time.monotonic()
    with large.people():
        for what, domain in WAY:
            large.move(what, domain)
    assert not large.failures(began)
    large.prove()
    assert all(0 < sum(move.held) < HELD_AT_MOST for move in large.moves), large.moves
    [(count,)] = large.stack.query("SELECT count(*) FROM posts")
    assert count >= POSTS
