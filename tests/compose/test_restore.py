"""Restore drills in containers, which the command itself stops and starts."""

from collections.abc import Iterator

import pytest

from infra import stages
from tests.compose.stack import Composed
from tests.faults.conftest import GENEROUS
from tests.support.restore_drill import Forum, run_drill


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    folder = tmp_path_factory.mktemp("restored")
    with Composed(frozenset(stages.DOMAINS), folder, GENEROUS) as composed:
        composed.environment |= {
            "COMPOSE_PROJECT_NAME": composed.project,
            "DEPLOYMENT": "compose",
            "VAR_DIR": str(folder),
        }
        yield composed


@pytest.mark.parametrize("domain", ["posts", ""], ids=["posts", "everything"])
def test_forum_is_right_again_after_a_restore(stack: Composed, domain: str) -> None:
    forum = Forum(stack.base_url, stack.environment)
    run_drill(forum, forum.recover, domain)
