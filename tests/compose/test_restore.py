"""Restore drills in containers, which the command itself stops and starts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from extraction.deployment.compose_project import OVERRIDE
from infra import stages
from tests.compose.movable import ALONE, SHARED, Movable
from tests.compose.stack import Composed
from tests.faults.conftest import GENEROUS
from tests.support.plugins.measurements import MEASURED
from tests.support.restore_drill import Forum, run_drill


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    folder = tmp_path_factory.mktemp("restored")
    with Composed(frozenset(stages.DOMAINS), folder, GENEROUS) as composed:
        composed.environment |= {
            "COMPOSE_PROJECT_NAME": composed.project,
            "PLACE": "compose",
            "VAR_DIR": str(folder),
        }
        yield composed


@pytest.mark.parametrize("domain", ["posts", ""], ids=["posts", "everything"])
def test_forum_is_right_again_after_a_restore(
    stack: Composed, domain: str, record_property: Callable[[str, object], None]
) -> None:
    forum = Forum(stack.base_url, stack.environment)
    record_property(MEASURED, f"in containers: {run_drill(forum, forum.recover, domain)}")


def test_stage_of_the_backup_is_back(tmp_path: Path) -> None:
    """Domains moved after each of two backups: services start again, and are removed again."""
    with Movable(tmp_path) as stack:
        stack.environment["VAR_DIR"] = str(tmp_path)
        forum = Forum(stack.base_url, stack.environment)
        _, token = forum.register("ada")
        thread = forum.create("/api/threads", token, title="Kept")["id"]
        alone = forum.back_up()
        stack.make("extract", "posts", "--soak", "2")
        forum.create("/api/posts", token, thread_id=thread, body="in the service")
        extracted = forum.back_up()
        stack.make("reintegrate", "posts", "--soak", "2")
        assert not (stack.folder / OVERRIDE).exists()

        forum.recover("restore", extracted)
        assert stack.owners() == {"users": "monolith", "threads": "monolith", "posts": "posts"}
        services = {"provision", "posts", "posts-worker"}
        assert stack.running() == ALONE | SHARED | services
        assert (stack.folder / OVERRIDE).exists()
        forum.recover("reconcile", "--repair")
        assert "No difference" in forum.recover("reconcile")
        assert forum.count(thread) == 1

        forum.recover("restore", alone)
        assert stack.owners() == dict.fromkeys(stages.DOMAINS, "monolith")
        assert stack.running() - {"provision"} == ALONE
        assert not (stack.folder / OVERRIDE).exists()
        assert forum.count(thread) == 0
