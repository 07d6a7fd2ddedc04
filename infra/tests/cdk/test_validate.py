"""The validation of a new revision by its test traffic."""

from collections import Counter
from http.server import BaseHTTPRequestHandler

import pytest

from infra import stages
from infra.cdk import validate
from infra.cdk.constructs.listener_rules import TEST_HEADER
from infra.cdk.validate import CHECKS
from tests.support.servers import Server, reply


class Revision:
    """A component that answers each request as expected, but some of them `wrong` times."""

    def __init__(
        self, component: str, *, server: str = "", wrong: int = 0, status: int = 0
    ) -> None:
        self.component, self.server = component, server or f"{component}/second"
        self.wrong, self.status = wrong, status
        self.asked: Counter[tuple[str, str]] = Counter()

    def __call__(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        assert request.headers[TEST_HEADER] == "yes"
        assert not body
        asked = (request.command, request.path)
        self.asked[asked] += 1
        expected = {each[:2]: each.status for each in CHECKS[self.component]}[asked]
        fails = self.asked[asked] <= self.wrong
        reply(
            request,
            self.status if fails else expected,
            b"",
            (("X-Served-By", self.server), ("Location", "/elsewhere")),
        )


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "PAUSE_SECONDS", 0)


@pytest.mark.parametrize("component", stages.COMPONENTS)
def test_revision_that_answers_as_expected_is_valid(component: str) -> None:
    revision = Revision(component)
    with Server(revision) as server:
        assert validate.validate(server.url, component, "second") == []
    assert revision.asked == Counter(each[:2] for each in CHECKS[component])


def test_request_is_repeated_if_it_fails() -> None:
    revision = Revision("posts", wrong=validate.TRIES - 1, status=503)
    with Server(revision) as server:
        assert validate.validate(server.url, "posts", "second") == []


def test_revision_that_fails_is_not_valid() -> None:
    revision = Revision("posts", wrong=validate.TRIES, status=500)
    with Server(revision) as server:
        problems = validate.validate(server.url, "posts", "second")
    assert problems == [
        f"{each.method} {each.path} was answered with 500 instead of {each.status}"
        for each in CHECKS["posts"]
    ]


def test_revision_that_does_not_get_the_test_traffic_is_not_valid() -> None:
    with Server(Revision("users", server="users/first")) as server:
        problems = validate.validate(server.url, "users", "second")
    assert problems[0] == "GET /api/users/openapi.json was answered with 200 by users/first"
    assert len(problems) == len(CHECKS["users"])


def test_load_balancer_that_does_not_answer_is_a_problem() -> None:
    with Server(Revision("users")) as server:
        url = server.url
    problems = validate.validate(url, "users", "second")
    assert len(problems) == len(CHECKS["users"])
    assert all("failed: " in problem for problem in problems)
