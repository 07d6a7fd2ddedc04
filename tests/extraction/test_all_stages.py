"""All extractions and reintegrations under load: nothing is lost, nothing stale is shown."""

import os
import time

import pytest

from extraction.extraction import FREEZE_SECONDS
from tests.extraction.forum import MovingForum

OUT = [("extract", "users"), ("extract", "threads"), ("extract", "posts")]
BACK = [("reintegrate", "posts"), ("reintegrate", "threads"), ("reintegrate", "users")]
CALM = 3.0  # load average of the last minute
HELD_AT_MOST = 2.0 if os.getloadavg()[0] < CALM else FREEZE_SECONDS
"""Seconds; on a busy machine, a write freeze may use its full duration."""


@pytest.fixture(scope="module")
def moved(forum: MovingForum) -> MovingForum:
    """Extract and reintegrate all domains under load."""
    began = time.monotonic()
    with forum.people():
        for what, domain in [*OUT, *BACK]:
            forum.move(what, domain)
    forum.unannounced = forum.failures(began)
    return forum


def test_moves_lose_nothing_and_show_no_older_data(moved: MovingForum) -> None:
    assert len(moved.moves) == 6
    assert all(move.writes > 20 for move in moved.moves)
    moved.prove()


def test_no_request_fails_outside_the_announced_freeze(moved: MovingForum) -> None:
    assert not moved.unannounced, moved.unannounced[:5]


def test_freezes_are_short(moved: MovingForum) -> None:
    assert all(0 < sum(move.held) < HELD_AT_MOST for move in moved.moves), moved.moves


def test_only_the_monolith_runs_after_all_moves(moved: MovingForum) -> None:
    config = moved.stack.config
    assert (config.extracted, config.moving) == (frozenset(), frozenset())
    for part in ("dynamodb", "bus", "users", "threads", "posts", "monolith-worker"):
        assert moved.stack.pid(part) == 0, part
