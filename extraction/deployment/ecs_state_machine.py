"""A move by a state machine, which a deployment with the option `mover=state-machine` has.

The state machine goes on by itself, so that the command may end, and can be repeated to look on.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from extraction.deployment.port import DeploymentError
from infra.cdk.one_off_task import Client

POLL_SECONDS = 2.0
_RUNNING = "RUNNING"
_FAILED = re.compile(r"task(Failed|TimedOut|SubmitFailed|StartFailed)EventDetails")
_INTERRUPTED = 130


class MoveExecution:
    """An execution of the state machine that moves a domain, one at a time."""

    def __init__(self, client: Client, machine: str, say: Callable[[str], None]) -> None:
        """Use the state machine with this ARN."""
        self._states = client("stepfunctions")
        self._machine, self._say = machine, say

    def run(self, direction: str) -> int:
        """Start a move, or find the one that runs, and report its states; return the exit code.

        Raises:
            DeploymentError: the opposite move runs.
        """
        execution = self._find_running(direction)
        if execution is None:
            started = self._states.start_execution(
                stateMachineArn=self._machine, input=json.dumps({"direction": direction})
            )
            execution = str(started["executionArn"])
            self._say("Started the state machine. It begins once SNS applies all filters.")
        else:
            self._say("This move runs already; its states follow.")
        try:
            return self._watch(execution)
        except KeyboardInterrupt:
            self._say("The state machine goes on; run this again to look on. To cancel the move,")
            self._say(f"  aws stepfunctions stop-execution --execution-arn {execution}")
            self._say("and then make cancel.")
            return _INTERRUPTED

    def _find_running(self, direction: str) -> str | None:
        listed = self._states.list_executions(stateMachineArn=self._machine, statusFilter=_RUNNING)[
            "executions"
        ]
        for each in listed:
            arn = str(each["executionArn"])
            given = json.loads(self._states.describe_execution(executionArn=arn)["input"])
            if given.get("direction") == direction:
                return arn
            msg = f"The state machine runs in the other direction: {arn}"
            raise DeploymentError(msg)
        return None

    def _watch(self, execution: str) -> int:
        seen = 0
        while True:
            status = self._states.describe_execution(executionArn=execution)
            for event in self._events(execution, seen):
                seen = event["id"]
                self._report(event)
            if status["status"] != _RUNNING:
                break
            time.sleep(POLL_SECONDS)
        if status["status"] == "SUCCEEDED":
            return 0
        reason = status.get("cause") or status["status"].lower().replace("_", " ")
        self._say(f"The state machine ended: {reason}")
        return 1

    def _events(self, execution: str, after: int) -> Iterator[Mapping[str, Any]]:
        pages = self._states.get_paginator("get_execution_history")
        for page in pages.paginate(executionArn=execution, includeExecutionData=True):
            yield from (event for event in page["events"] if event["id"] > after)

    def _report(self, event: Mapping[str, Any]) -> None:
        """Report a state that begins, a try that failed, or what a person is asked for."""
        if "stateEnteredEventDetails" in event:
            self._say(f"[{event['stateEnteredEventDetails']['name']}]")
        failed = next((each for name, each in event.items() if _FAILED.fullmatch(name)), None)
        if failed:
            self._say(f"  failed: {failed.get('error', '')} {_reason(failed.get('cause', ''))}")
        details = event.get("taskScheduledEventDetails", {})
        if details.get("resource") == "publish.waitForTaskToken":
            for what, command in json.loads(details["parameters"])["Message"].items():
                self._say(f"  To {what}: {command}")


def _reason(cause: str) -> str:
    """Return why a task stopped, out of ECS's description of it."""
    try:
        task = json.loads(cause)
    except ValueError:
        return cause
    codes = [each.get("ExitCode") for each in task.get("Containers", ())]
    if any(code is not None for code in codes):
        return f"with exit code {codes[0]}; see the mover's log"
    return str(task.get("StoppedReason", cause))
