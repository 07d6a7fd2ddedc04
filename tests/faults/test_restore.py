"""Restore drills: a backup of a running forum is put back, and every copy is right again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from infra import stages
from tests.faults.conftest import GENEROUS
from tests.support.harness import Stack
from tests.support.plugins.measurements import MEASURED
from tests.support.restore_drill import Forum, run_drill


@pytest.mark.parametrize("domain", ["", "posts"], ids=["everything", "posts"])
def test_forum_is_right_again_after_a_restore(
    tmp_path: Path, domain: str, record_property: Callable[[str, object], None]
) -> None:
    with Stack(frozenset(stages.DOMAINS), tmp_path, GENEROUS) as stack:
        forum = Forum(stack.base_url, stack.environment)

        def restore(*command: str) -> None:
            stack.stop()
            forum.recover(*command)
            stack.start()

        record_property(MEASURED, run_drill(forum, restore, domain))
