"""The validation of a new revision by its test traffic."""

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler
from typing import Any, NoReturn

import pytest
from botocore.exceptions import ClientError

from infra import stages
from infra.cdk import validate
from infra.cdk.constructs.listener_rules import TEST_HEADER
from infra.cdk.one_off_task import TaskError
from infra.cdk.options import DeploymentOptions
from infra.cdk.validate import CHECKS, Validator
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
def test_revision_that_responds_as_expected_is_valid(component: str) -> None:
    revision = Revision(component)
    with Server(revision) as server:
        assert validate.validate(server.url, component, "second") == ""
    assert revision.asked == Counter(each[:2] for each in CHECKS[component])


def test_request_is_repeated_if_it_fails() -> None:
    revision = Revision("posts", wrong=validate.TRIES - 1, status=503)
    with Server(revision) as server:
        assert validate.validate(server.url, "posts", "second") == ""


def test_revision_that_fails_is_not_valid() -> None:
    revision = Revision("posts", wrong=validate.TRIES, status=500)
    with Server(revision) as server:
        problem = validate.validate(server.url, "posts", "second")
    assert problem == "GET /api/posts/openapi.json got 500 instead of 200"


def test_revision_that_does_not_get_the_test_traffic_is_not_valid() -> None:
    with Server(Revision("users", server="users/first")) as server:
        problem = validate.validate(server.url, "users", "second")
    assert problem == "GET /api/users/openapi.json got 200 from users/first"


def test_load_balancer_that_does_not_respond_is_a_problem() -> None:
    with Server(Revision("users")) as server:
        url = server.url
    assert "failed: " in validate.validate(url, "users", "second")


class Ecs:
    """The operations of ECS by which a deployment is validated; only posts is deployed.

    The emulator's own are in the tests of the offline deployment; this one can refuse an action.
    """

    def __init__(self, *, refuses: int = 0) -> None:
        self.refuses = refuses
        self.actions: list[str] = []

    def list_service_deployments(self, **request: Any) -> dict[str, Any]:
        if request["service"] != "posts":
            raise ClientError({"Error": {"Code": "ServiceNotFoundException"}}, "List")
        return {"serviceDeployments": [{"serviceDeploymentArn": "deployment"}]}

    def describe_service_deployments(self, **_: Any) -> dict[str, Any]:
        # ECS may show a hook for a moment after an action.
        hook = {"hookId": "hook", "targetType": "PAUSE", "status": "AWAITING_ACTION"}
        deployment = {
            "serviceDeploymentArn": "deployment",
            "targetServiceRevision": {"arn": "revision"},
            "lifecycleHookDetails": [hook],
        }
        return {"serviceDeployments": [deployment]}

    def describe_service_revisions(self, **_: Any) -> dict[str, Any]:
        return {"serviceRevisions": [{"taskDefinition": "posts:2"}]}

    def describe_task_definition(self, **_: Any) -> dict[str, Any]:
        environment = [{"name": "REVISION", "value": "second"}]
        return {"taskDefinition": {"containerDefinitions": [{"environment": environment}]}}

    def continue_service_deployment(self, **request: Any) -> None:
        if self.refuses:
            self.refuses -= 1
            raise ClientError({"Error": {"Code": "ServerException"}}, "Continue")
        self.actions.append(request["action"])


def run(ecs: Ecs, revision: Revision, rounds: int = 3) -> list[str]:
    """Run a validator for some rounds; return what it said."""
    said: list[str] = []
    stop = threading.Event()

    def count_rounds(_: float) -> None:
        nonlocal rounds
        rounds -= 1
        if not rounds:
            stop.set()

    stop.wait = count_rounds  # type: ignore[method-assign, assignment]
    with Server(revision) as server:
        Validator(lambda _: ecs, DeploymentOptions(), lambda: server.url, said.append).run(stop)
    return said


def test_valid_revision_continues_once() -> None:
    ecs = Ecs()
    assert run(ecs, Revision("posts")) == ["posts/second: is valid, and takes the requests"]
    assert ecs.actions == ["CONTINUE"]


def test_failing_revision_is_rolled_back_with_the_reason() -> None:
    ecs = Ecs()
    said = run(ecs, Revision("posts", wrong=validate.TRIES, status=500))
    problem = "GET /api/posts/openapi.json got 500 instead of 200"
    assert said == [f"posts/second: {problem}: it is rolled back"]
    assert ecs.actions == ["ROLLBACK"]


def test_refused_action_is_tried_again() -> None:
    ecs = Ecs(refuses=2)
    error, result = run(ecs, Revision("posts"))
    assert error.startswith("posts: ")
    assert "ServerException" in error
    assert result == "posts/second: is valid, and takes the requests"
    assert ecs.actions == ["CONTINUE"]


def test_load_balancer_that_is_not_deployed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> NoReturn:
        msg = "The stack forum-edge can't be read; deploy it first."
        raise TaskError(msg)

    monkeypatch.setattr(validate, "read_outputs", read)
    with pytest.raises(TaskError, match="forum-edge"):
        validate._find_address(lambda _: None, DeploymentOptions())
    monkeypatch.setattr(validate, "read_outputs", lambda *_: {"Url": "https://balancer"})
    with pytest.raises(TaskError, match="Set ADDRESS"):
        validate._find_address(lambda _: None, DeploymentOptions())
