"""All moves while the extraction, the services and the monolith are killed at random times."""

import os

from tests.extraction.forum import MovingForum
from tests.extraction.test_all_stages import BACK, OUT

WAY = [*OUT, *BACK] if os.environ.get("FULL") else [OUT[2], BACK[0]]
"""All moves with FULL=1; else those of the domain that is written most."""
KILLED = ("monolith", "monolith-worker", "dynamodb")


def test_nothing_is_lost_while_the_mover_is_killed(forum: MovingForum) -> None:
    with forum.people():
        for what, domain in WAY:
            forum.move_under_kills(what, domain, KILLED)
    assert sum(moved.kills for moved in forum.moves) >= len(WAY)
    assert forum.stack.config.extracted == frozenset()
    forum.prove()
