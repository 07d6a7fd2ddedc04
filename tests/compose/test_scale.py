"""Several instances of a service behind the gateway."""

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import requests

from infra import stages
from tests.compose import engine
from tests.compose.stack import Composed

INSTANCES = 3
PATHS = ("/api/posts?limit=1", "/api/posts/by-user/nobody", "/")


@pytest.fixture(scope="module")
def forum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Run the full split as in compose.yaml, without ports other than the gateway's."""
    stack = Composed(
        frozenset(stages.DOMAINS), tmp_path_factory.mktemp("scale"), files=("-f", "compose.yaml")
    )
    with stack:
        stack.compose("up", "--wait", "--no-build", "--scale", f"posts={INSTANCES}")
        yield stack


def served(forum: Composed) -> list[int]:
    """Count the requests for lists of posts that each instance has logged."""
    return [
        engine.docker("logs", container).count(" route=/api/posts ")
        for container in sorted(forum.containers("posts"))
    ]


def test_instances_share_the_load(forum: Composed) -> None:
    before = served(forum)
    for _ in range(60):
        requests.get(forum.base_url + PATHS[0], timeout=20).raise_for_status()
    counts = [after - first for after, first in zip(served(forum), before, strict=True)]
    assert len(counts) == INSTANCES
    assert min(counts) >= 10, counts


def test_killed_instance_fails_no_request(forum: Composed) -> None:
    statuses: Counter[tuple[str, int]] = Counter()
    stop = threading.Event()

    def read(path: str) -> None:
        while not stop.is_set():
            try:
                status = requests.get(forum.base_url + path, timeout=20).status_code
            except requests.RequestException:
                status = 0
            statuses[path, status] += 1
            time.sleep(0.01)

    readers = [threading.Thread(target=read, args=(path,)) for path in PATHS * 2]
    for reader in readers:
        reader.start()
    time.sleep(2)
    victims = sorted(forum.containers("posts"))[:2]
    for victim in victims:
        # Unlike after a crash, it is not restarted.
        engine.docker("kill", victim)
        time.sleep(4)
    engine.docker("start", *victims)
    time.sleep(4)
    stop.set()
    for reader in readers:
        reader.join()
    assert sum(statuses.values()) > 200
    assert {status for _, status in statuses} == {200}, statuses
