"""Deployments of MiniStack's ECS services, as ECS describes them, and pauses in them.

MiniStack lists none. A deployment that replaces another one waits at a hook of the type PAUSE until
a caller continues it or rolls it back, or until the hook's time is over; a minute takes
`MINUTE_SECONDS`.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import ecs

from infra.local_cloud.emulated import MINUTE_SECONDS

Service = dict[str, Any]
Deployment = dict[str, Any]

HOOK, PAUSED = "_hook", "AWAITING_ACTION"
"""The field of a deployment with its hook, and the status of a hook that waits."""
ROLL_BACK, CONTINUE = "ROLLBACK", "CONTINUE"
LOOK_SECONDS = 0.1
# ECS waits for a day unless a template says otherwise.
DEFAULT_MINUTES = 1440
_RESULTS = {CONTINUE: "SUCCEEDED", ROLL_BACK: "FAILED"}
_decision = threading.Lock()


def pause(service: Service, deployment: Deployment, stage: str) -> str:
    """Pause a deployment if its service has a hook for this stage.

    Return the reason to roll it back, or an empty text. Another deployment ends the pause.
    """
    configuration = service["deploymentConfiguration"]
    for each in configuration.get("lifecycleHooks") or ():
        if each.get("targetType") == "PAUSE" and stage in each["lifecycleStages"]:
            hook = _open(deployment, each.get("timeoutConfiguration") or {})
            if reason := _wait(deployment, hook):
                return f"a hook at {stage} {reason}"
    return ""


def _open(deployment: Deployment, timeout: Mapping[str, Any]) -> dict[str, Any]:
    """Add a hook that waits to a deployment."""
    minutes = float(timeout.get("timeoutInMinutes", DEFAULT_MINUTES))
    hook = {
        "hookId": f"ecs-pause-{new_uuid()}",
        "targetType": "PAUSE",
        "status": PAUSED,
        "expiresAt": time.time() + minutes * MINUTE_SECONDS,
        "timeoutAction": timeout.get("action", ROLL_BACK),
    }
    deployment[HOOK] = hook
    return hook


def _wait(deployment: Deployment, hook: dict[str, Any]) -> str:
    """Wait for the decision at a hook; return the reason to roll back, or an empty text."""
    while deployment["status"] == "PRIMARY":
        with _decision:
            if hook["status"] == PAUSED and time.time() > hook["expiresAt"]:
                hook["status"] = "TIMED_OUT"
                return "timed out" if hook["timeoutAction"] == ROLL_BACK else ""
        if hook["status"] != PAUSED:
            return "" if hook["status"] == _RESULTS[CONTINUE] else "asked for it"
        time.sleep(LOOK_SECONDS)
    with _decision:
        hook["status"] = _RESULTS[ROLL_BACK]
    return ""


def list_deployments(request: Mapping[str, Any]) -> Any:
    """List the deployments of a service, with the wanted status if one is given."""
    cluster = str(request.get("cluster", "default")).rpartition("/")[2]
    name = str(request["service"]).rpartition("/")[2]
    found = [
        (service, deployment)
        for service, deployment in _all()
        if service["serviceName"] == name
        and service["clusterArn"].rpartition("/")[2] == cluster
        and service["status"] == "ACTIVE"
    ]
    if not found:
        return error_response_json("ServiceNotFoundException", "Service not found.", 400)
    described = [_describe(*each) for each in found]
    wanted = request.get("status") or {each["status"] for each in described}
    return json_response(
        {"serviceDeployments": [each for each in described if each["status"] in wanted]}
    )


def describe_deployments(request: Mapping[str, Any]) -> Any:
    """Describe deployments with the hook at which each waits."""
    described = (_describe(*each) for each in _all())
    wanted = request["serviceDeploymentArns"]
    return json_response(
        {
            "serviceDeployments": [
                each for each in described if each["serviceDeploymentArn"] in wanted
            ],
            "failures": [],
        }
    )


def describe_revisions(request: Mapping[str, Any]) -> Any:
    """Describe service revisions by their task definition."""
    wanted = request["serviceRevisionArns"]
    return json_response(
        {
            "serviceRevisions": [
                {
                    "serviceRevisionArn": _arn("service-revision", service, deployment),
                    "serviceArn": service["serviceArn"],
                    "clusterArn": service["clusterArn"],
                    "taskDefinition": deployment["taskDefinition"],
                }
                for service, deployment in _all()
                if _arn("service-revision", service, deployment) in wanted
            ],
            "failures": [],
        }
    )


def continue_deployment(request: Mapping[str, Any]) -> Any:
    """Continue or roll back a deployment at its hook."""
    arn, action = request["serviceDeploymentArn"], request.get("action", CONTINUE)
    for service, deployment in _all():
        if _arn("service-deployment", service, deployment) == arn:
            hook = deployment.get(HOOK) or {}
            with _decision:
                if (hook.get("hookId"), hook.get("status")) != (request["hookId"], PAUSED):
                    return error_response_json(
                        "InvalidParameterException", "The hook does not wait.", 400
                    )
                hook["status"] = _RESULTS[action]
            return json_response({"serviceDeploymentArn": arn})
    return error_response_json(
        "ServiceDeploymentNotFoundException", "Service deployment not found.", 400
    )


def _all() -> Iterator[tuple[Service, Deployment]]:
    for service in tuple(ecs._services.values()):
        for deployment in tuple(service.get("deployments", ())):
            yield service, deployment


def _describe(service: Service, deployment: Deployment) -> dict[str, Any]:
    status = {"COMPLETED": "SUCCESSFUL", "FAILED": "ROLLBACK_SUCCESSFUL"}
    hook = deployment.get(HOOK)
    return {
        "serviceDeploymentArn": _arn("service-deployment", service, deployment),
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "status": status.get(deployment["rolloutState"], "IN_PROGRESS"),
        "targetServiceRevision": {"arn": _arn("service-revision", service, deployment)},
        "lifecycleHookDetails": [hook] if hook else [],
    }


def _arn(kind: str, service: Service, deployment: Deployment) -> str:
    prefix, _, name = str(service["serviceArn"]).partition(":service/")
    return f"{prefix}:{kind}/{name}/{str(deployment['id']).rpartition('/')[2]}"


def install() -> None:
    """Install the operations."""
    ecs._ACTION_MAP |= {
        "ListServiceDeployments": list_deployments,
        "DescribeServiceDeployments": describe_deployments,
        "DescribeServiceRevisions": describe_revisions,
        "ContinueServiceDeployment": continue_deployment,
    }
