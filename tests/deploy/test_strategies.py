"""Canary and blue-green deployments: share and validation of a new revision, and its way back."""

import math
import time
from collections import Counter
from pathlib import Path

import pytest
import requests

from infra.cdk.constructs.deployment_strategy import CANARY_PERCENT
from infra.cdk.constructs.listener_rules import TEST_HEADER, TEST_VALUE
from infra.cdk.options import BLUE_GREEN, CANARY, ROLLING
from infra.local_cloud.stacks import StackError
from tests.deploy.conftest import AtStage
from tests.deploy.deployed import Deployed
from tests.deploy.watching import Answer, Readers, Watcher

POSTS = "/api/posts/openapi.json"
BLUE, GREEN = "forum-posts", "forum-posts-green"
MARGIN_SECONDS = 0.3
"""The longest delay between a change of a weight and its observation, or of a request."""
READERS = 16
LEAST = 60
"""Requests below which a share says too little."""

FAILING = """
from chassis.runtime import wsgi_app
from posts.bootstrap import PostsService

healthy = wsgi_app(PostsService)


def app(environ, start_response):
    def start(status, headers, *more):
        fails = environ["PATH_INFO"].startswith("/api/")
        return start_response("500 Internal Server Error" if fails else status, headers, *more)

    return healthy(environ, start)
"""


@pytest.fixture(scope="module")
def forum(at_stage: AtStage) -> Deployed:
    """Deploy posts with rolling deployments."""
    deployed = at_stage(frozenset({"posts"}))
    deployed.deploy_alone("posts", revision="first")
    return deployed


class Weights(Watcher):
    """The weights of the rule of posts, observed all the time."""

    def __init__(self, forum: Deployed) -> None:
        super().__init__(self._watch)
        self._client = forum.place.client("elbv2")
        (balancer,) = self._client.describe_load_balancers()["LoadBalancers"]
        arn = balancer["LoadBalancerArn"]
        (listener,) = self._client.describe_listeners(LoadBalancerArn=arn)["Listeners"]
        self._listener = listener["ListenerArn"]
        self.seen: list[tuple[float, int, int]] = []
        """Moments, with the weights of blue and green."""

    def read(self) -> tuple[int, int]:
        """Return the weights of blue and green."""
        for rule in self._client.describe_rules(ListenerArn=self._listener)["Rules"]:
            if "/api/posts" in str(rule["Conditions"]) and len(rule["Conditions"]) == 1:
                groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
                weights = {each["TargetGroupArn"].split("/")[1]: each["Weight"] for each in groups}
                return weights[BLUE], weights[GREEN]
        raise AssertionError("posts have no rule")

    def during(self, weights: tuple[int, int], answers: list[Answer]) -> list[Answer]:
        """Return what was asked for while these weights lasted."""
        moments = [moment for moment, *seen in self.seen if tuple(seen) == weights]
        assert moments, f"{weights} were never seen"
        begin, end = moments[0] + MARGIN_SECONDS, moments[-1] - MARGIN_SECONDS
        return [answer for answer in answers if begin < answer.moment < end]

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            weights = self.read()
            self.seen.append((time.monotonic(), *weights))


def write_failing_program(folder: Path) -> Path:
    """Write a program whose tasks are ready, and respond with 500 to all requests to the API."""
    file = folder / "wsgi.py"
    file.write_text(FAILING, encoding="utf-8")
    file.chmod(0o644)
    return file


def assert_share(answers: list[Answer], revision: str) -> None:
    """Assert that a revision got the share of a canary, within five standard deviations."""
    share = CANARY_PERCENT / 100
    found = Counter(answer.server for answer in answers)
    count = sum(found.values())
    assert count >= LEAST, found
    deviation = math.sqrt(count * share * (1 - share))
    assert abs(found[f"posts/{revision}"] - count * share) < 5 * deviation, found


def test_good_canary_gets_its_share_and_then_everything(forum: Deployed) -> None:
    weights = Weights(forum)
    assert weights.read() == (100, 0)
    with Readers(forum.base_url, [POSTS] * READERS, persistent=True) as readers, weights:
        forum.deploy_alone("posts", strategy=CANARY, revision="second")
    assert not readers.failed
    assert_share(weights.during((90, 10), readers.answers), "second")
    assert {each.server for each in weights.during((0, 100), readers.answers)} == {"posts/second"}


def test_bad_canary_gets_its_share_and_is_rolled_back(forum: Deployed, tmp_path: Path) -> None:
    """Its tasks are ready and respond with 500, so only the alarm on the load balancer notices."""
    weights, file = Weights(forum), write_failing_program(tmp_path)
    with (
        forum.changed_image("posts", "LABEL revision=bad", (file, "/app/posts/wsgi.py")),
        Readers(forum.base_url, [POSTS] * READERS, persistent=True) as readers,
        weights,
        pytest.raises(StackError, match="alarm forum-posts-failing was raised"),
    ):
        forum.deploy_alone("posts", revision="bad")
    canary = weights.during((10, 90), readers.answers)
    assert_share(canary, "bad")
    # All others were served, before, meanwhile and afterwards.
    assert {server for _, _, server in readers.failed} == {"posts/bad"}
    assert weights.read() == (0, 100)
    with Readers(forum.base_url, [POSTS]) as readers:
        time.sleep(1)
    assert readers.servers(POSTS) == ["posts/second"]


def test_blue_green_takes_everything_at_once(forum: Deployed) -> None:
    weights = Weights(forum)
    with Readers(forum.base_url, [POSTS]) as readers, weights:
        forum.deploy_alone("posts", strategy=BLUE_GREEN, revision="third")
    assert not readers.failed
    assert readers.servers(POSTS) == ["posts/second", "posts/third"]
    assert {tuple(seen) for _, *seen in weights.seen} == {(0, 100), (100, 0)}
    assert "posts/third: is valid, and takes the requests" in forum.printed


def test_only_test_traffic_sees_a_revision_that_is_not_valid(
    forum: Deployed, tmp_path: Path
) -> None:
    file = write_failing_program(tmp_path)
    with (
        forum.changed_image("posts", "LABEL revision=bad", (file, "/app/posts/wsgi.py")),
        Readers(forum.base_url, [POSTS] * READERS, persistent=True) as readers,
        pytest.raises(StackError, match="a hook at POST_TEST_TRAFFIC_SHIFT asked for it"),
    ):
        forum.deploy_alone("posts", revision="invalid")
    assert not readers.failed
    assert readers.servers(POSTS) == ["posts/third"]
    problem = f"posts/invalid: GET {POSTS} got 500 instead of 200: it is rolled back"
    assert problem in forum.printed
    with requests.Session() as session:
        session.headers[TEST_HEADER] = TEST_VALUE
        answer = session.get(forum.base_url + POSTS, timeout=30)
    assert answer.headers["X-Served-By"] == "posts/third"


def test_rolling_deployments_are_possible_again(forum: Deployed) -> None:
    with Readers(forum.base_url, [POSTS]) as readers:
        forum.deploy_alone("posts", strategy=ROLLING, revision="fourth")
    assert not readers.failed
    assert readers.servers(POSTS)[-1] == "posts/fourth"
    assert Weights(forum).read() == (100, 0)
