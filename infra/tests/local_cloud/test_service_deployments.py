"""Deployments of the emulator's ECS that wait at a hook, and their answers."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import ecs

from infra.local_cloud import service_deployments
from infra.local_cloud.emulated import MINUTE_SECONDS

PREFIX = "arn:aws:ecs:eu-central-1:000000000000"
STAGE = "POST_TEST_TRAFFIC_SHIFT"
HOOK = {
    "targetType": "PAUSE",
    "lifecycleStages": [STAGE],
    "timeoutConfiguration": {"timeoutInMinutes": 10, "action": "ROLLBACK"},
}


class PausedService:
    """A service whose deployment reaches a stage."""

    def __init__(self, hook: dict[str, Any]) -> None:
        self.new = {
            "id": "ecs-svc/2",
            "status": "PRIMARY",
            "rolloutState": "IN_PROGRESS",
            "taskDefinition": f"{PREFIX}:task-definition/posts:2",
        }
        former = {**self.new, "id": "ecs-svc/1", "rolloutState": "COMPLETED"}
        self.service = {
            "serviceName": "posts",
            "serviceArn": f"{PREFIX}:service/forum/posts",
            "clusterArn": f"{PREFIX}:cluster/forum",
            "status": "ACTIVE",
            "deployments": [self.new, former],
            "deploymentConfiguration": {"lifecycleHooks": [hook]},
        }
        self.reasons: list[str] = []
        self.thread = threading.Thread(target=self._pause)

    def _pause(self) -> None:
        self.reasons.append(service_deployments.pause(self.service, self.new, STAGE))

    def waiting(self) -> dict[str, Any]:
        """Wait until the deployment is paused; return its description."""
        deadline = time.monotonic() + 5
        while service_deployments.HOOK not in self.new:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        listed = call("list", {"cluster": "forum", "service": "posts", "status": ["IN_PROGRESS"]})
        (brief,) = listed["serviceDeployments"]
        described = call("describe", {"serviceDeploymentArns": [brief["serviceDeploymentArn"]]})
        (found,) = described["serviceDeployments"]
        assert isinstance(found, dict)
        return found


def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Call an operation; return its result, or the error's type."""
    _, _, body = getattr(service_deployments, f"{operation}_deployments")(request)
    result: dict[str, Any] = json.loads(body)
    return result


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch, hook: dict[str, Any]) -> Iterator[PausedService]:
    one = PausedService(hook)
    monkeypatch.setattr(ecs, "_services", {"posts": one.service})
    one.thread.start()
    yield one
    one.thread.join(timeout=10)


def answer(paused: PausedService, action: str) -> tuple[int, dict[str, Any]]:
    found = paused.waiting()
    (hook,) = found["lifecycleHookDetails"]
    status, _, body = service_deployments.continue_deployment(
        {
            "serviceDeploymentArn": found["serviceDeploymentArn"],
            "hookId": hook["hookId"],
            "action": action,
        }
    )
    return status, json.loads(body)


@pytest.mark.parametrize("hook", [HOOK])
@pytest.mark.parametrize(
    ("action", "reason"),
    [("CONTINUE", ""), ("ROLLBACK", f"a hook at {STAGE} asked for it")],
)
def test_answer_continues_a_deployment_or_rolls_it_back(
    paused: PausedService, action: str, reason: str
) -> None:
    assert answer(paused, action)[0] == 200
    paused.thread.join(timeout=5)
    assert paused.reasons == [reason]
    assert answer(paused, action) == (
        400,
        {"__type": "InvalidParameterException", "message": "The hook does not wait."},
    )


@pytest.mark.parametrize("hook", [HOOK])
def test_paused_deployment_names_the_task_definition_of_its_revision(
    paused: PausedService,
) -> None:
    target = paused.waiting()["targetServiceRevision"]["arn"]
    _, _, body = service_deployments.describe_revisions({"serviceRevisionArns": [target]})
    (found,) = json.loads(body)["serviceRevisions"]
    assert found["taskDefinition"] == paused.new["taskDefinition"]
    answer(paused, "CONTINUE")


@pytest.mark.parametrize(
    ("hook", "reasons"),
    [
        (
            HOOK | {"timeoutConfiguration": {"timeoutInMinutes": 0.1}},
            [f"a hook at {STAGE} timed out"],
        ),
        (HOOK | {"timeoutConfiguration": {"timeoutInMinutes": 0.1, "action": "CONTINUE"}}, [""]),
        (HOOK | {"lifecycleStages": ["PRE_SCALE_UP"]}, [""]),
    ],
)
def test_deployment_without_an_answer_goes_on_as_its_hook_says(
    paused: PausedService, reasons: list[str]
) -> None:
    paused.thread.join(timeout=10 * MINUTE_SECONDS)
    assert paused.reasons == reasons


@pytest.mark.parametrize("hook", [HOOK])
def test_another_deployment_ends_the_pause(paused: PausedService) -> None:
    paused.waiting()
    paused.new["status"] = "ACTIVE"
    paused.thread.join(timeout=5)
    assert paused.reasons == [""]
    assert answer(paused, "CONTINUE")[0] == 400


@pytest.mark.parametrize("hook", [HOOK | {"lifecycleStages": ["PRE_SCALE_UP"]}])
def test_unknown_service_has_no_deployments(paused: PausedService) -> None:
    found = call("list", {"cluster": "forum", "service": "users"})
    assert found["__type"] == "ServiceNotFoundException"
    finished = call("list", {"cluster": "forum", "service": paused.service["serviceName"]})
    assert {each["status"] for each in finished["serviceDeployments"]} == {
        "IN_PROGRESS",
        "SUCCESSFUL",
    }
