"""State machines of MiniStack, closer to AWS where a move by one depends on it."""

import json
import threading
import time
from typing import Any

from ministack.services import ecs, stepfunctions

from infra.local_cloud.emulated import MINUTE_SECONDS

POLL_SECONDS = 1.0
_here = threading.local()

# The original functions.
_execute = stepfunctions._execute_task
_call_and_wait = stepfunctions._invoke_with_callback


def wait_for_tasks(cluster: str, tasks: list[str]) -> dict[str, Any]:
    """Wait until tasks have stopped, and fail if a container did.

    MiniStack gives up after ten minutes, and takes any exit code for a success.
    """
    while True:
        _, _, body = ecs._describe_tasks({"cluster": cluster, "tasks": tasks})
        found: dict[str, Any] = json.loads(body)
        if found["tasks"] and all(each["lastStatus"] == "STOPPED" for each in found["tasks"]):
            break
        time.sleep(POLL_SECONDS)
    for task in found["tasks"]:
        codes = [container.get("exitCode") for container in task["containers"]]
        if any(code != 0 for code in codes):
            cause = {
                "Containers": [{"ExitCode": code} for code in codes],
                "StoppedReason": task.get("stoppedReason", ""),
                "TaskArn": task["taskArn"],
            }
            raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(cause))
    return found


def execute(state: Any, given: Any, execution: Any, context: Any) -> Any:
    """Execute a task's state, and remember whose it is."""
    _here.execution = execution
    return _execute(state, given, execution, context)


def call_and_wait(resource: str, parameters: Any, token: str, state: Any) -> Any:
    """Call a service and wait for the token's answer, with the parameters in the history.

    MiniStack leaves them out.
    """
    event = next(
        each for each in reversed(_here.execution["events"]) if each["type"] == "TaskScheduled"
    )
    _, _, called = resource.partition(":states:::")
    service, _, action = called.partition(":")
    event["taskScheduledEventDetails"] |= {
        "resourceType": service,
        "resource": action,
        "parameters": json.dumps(parameters),
    }
    return _call_and_wait(resource, parameters, token, state)


def install() -> None:
    """Replace MiniStack's functions; a minute's wait takes `MINUTE_SECONDS`."""
    stepfunctions._SFN_WAIT_SCALE = MINUTE_SECONDS / 60
    stepfunctions._poll_ecs_tasks = wait_for_tasks
    stepfunctions._execute_task = execute
    stepfunctions._invoke_with_callback = call_and_wait
