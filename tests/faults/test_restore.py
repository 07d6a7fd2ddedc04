"""Restore drills: a backup of a running forum is put back, and every copy is right again."""

from pathlib import Path

import pytest

from infra import stages
from tests.faults.conftest import GENEROUS
from tests.support.harness import Stack
from tests.support.restore_drill import Forum, run_drill


@pytest.mark.parametrize("domain", ["", "posts"], ids=["everything", "posts"])
def test_forum_is_right_again_after_a_restore(tmp_path: Path, domain: str) -> None:
    with Stack(frozenset(stages.DOMAINS), tmp_path, GENEROUS) as stack:
        forum = Forum(stack.base_url, stack.environment)

        def restore(*command: str) -> None:
            stack.stop()
            forum.recover(*command)
            stack.start()

        run_drill(forum, restore, domain)
