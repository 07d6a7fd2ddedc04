"""Run a program of a deployment as a task of its own, and read its log.

The stack that defines the task has outputs with what it takes to start it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from infra.cdk import names
from infra.cdk.options import DeploymentOptions

Client = Callable[..., Any]
"""A factory of boto3's clients."""
POLL_SECONDS = 2.0
COMPLETE = {
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
    *("UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"),
}
# The stack's outputs, after the task's own prefix.
DEFINITION, SUBNETS = "TaskDefinition", "Subnets"
GROUP, PUBLIC_ADDRESS = "SecurityGroup", "PublicAddress"


class TaskError(Exception):
    """A task did not start, failed, or can't be found; the message has the reason."""


@dataclass(frozen=True)
class OneOffTask:
    """A program whose task definition is in the outputs of a stack, each after `prefix`."""

    client: Client
    options: DeploymentOptions
    program: str
    stack: str
    prefix: str = ""

    def start(self, command: Sequence[str] = ()) -> str:
        """Start a task, with another command if given; return its ARN.

        Raises:
            TaskError: the stack is not deployed, or ECS did not start the task.
        """
        outputs = self._outputs()
        overrides = {"containerOverrides": [{"name": self.program, "command": [*command]}]}
        started = self.client("ecs").run_task(
            cluster=names.cluster(self.options),
            launchType="FARGATE",
            taskDefinition=outputs[self.prefix + DEFINITION],
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": outputs[self.prefix + SUBNETS].split(","),
                    "securityGroups": [outputs[self.prefix + GROUP]],
                    "assignPublicIp": outputs[self.prefix + PUBLIC_ADDRESS],
                }
            },
            **({"overrides": overrides} if command else {}),
        )
        if not started["tasks"]:
            msg = f"The task {self.program} was not started: {started['failures']}"
            raise TaskError(msg)
        return str(started["tasks"][0]["taskArn"])

    def find_output(self, name: str) -> str:
        """Return another output of the task's stack; empty without it.

        Raises:
            TaskError: the stack is not deployed.
        """
        return read_outputs(self.client, self.stack).get(name, "")

    def find_running(self, command: Sequence[str]) -> str | None:
        """Return the ARN of a task that runs with this command, if there is one."""
        cluster = names.cluster(self.options)
        family = names.family(self.options, self.program)
        for arn in self.client("ecs").list_tasks(cluster=cluster, family=family)["taskArns"]:
            task = self.describe(arn) or {}
            given = task.get("overrides", {}).get("containerOverrides", ())
            if [*command] in [each.get("command") for each in given]:
                return str(arn)
        return None

    def describe(self, arn: str) -> Mapping[str, Any] | None:
        """Return the description of a task; None for a moment after its start."""
        cluster = names.cluster(self.options)
        tasks = self.client("ecs").describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
        return tasks[0] if tasks else None

    def stop(self, arn: str, reason: str) -> None:
        """Stop a task as soon as its program ends in an orderly way."""
        self.client("ecs").stop_task(cluster=names.cluster(self.options), task=arn, reason=reason)

    def wait(self, arn: str, seconds: float) -> None:
        """Wait until a task has ended.

        Raises:
            TaskError: it failed, or it still runs after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            task = self.describe(arn)
            if task and task["lastStatus"] == "STOPPED":
                check_exit_code(self.program, task)
                return
            time.sleep(POLL_SECONDS)
        msg = f"{self.program} still runs after {seconds:g} s: {arn}"
        raise TaskError(msg)

    def log(self, arn: str, token: str = "") -> tuple[list[str], str]:
        """Return the lines of a task's log after a token, and the next token.

        A task has no log until it has written its first line.
        """
        after = {"nextToken": token} if token else {}
        try:
            found = self.client("logs").get_log_events(
                logGroupName=names.log_group(self.options, self.program),
                logStreamName=f"{self.program}/{self.program}/{arn.rpartition('/')[2]}",
                startFromHead=True,
                **after,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return [], token
            raise
        return [event["message"] for event in found["events"]], found["nextForwardToken"]

    def lines(self, arn: str) -> Iterator[str]:
        """Yield all lines of an ended task's log."""
        token = ""
        while True:
            found, following = self.log(arn, token)
            yield from found
            # A page may be empty although others follow; the last one repeats its token.
            if following == token:
                return
            token = following

    def _outputs(self) -> Mapping[str, str]:
        outputs = read_outputs(self.client, self.stack)
        if self.prefix + DEFINITION not in outputs:
            msg = f"The stack {self.stack} has no task {self.program}"
            raise TaskError(msg)
        return outputs


def read_outputs(client: Client, stack: str) -> Mapping[str, str]:
    """Return the outputs of a stack whose last deployment is complete.

    Raises:
        TaskError: it does not exist or can't be read, or its last deployment failed or is in
            progress.
    """
    try:
        (described,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        msg = f"The stack {stack} can't be read; deploy it first: {error}"
        raise TaskError(msg) from error
    status = described["StackStatus"]
    if status not in COMPLETE:
        msg = f"The stack {stack} is {status}: finish its deployment first."
        raise TaskError(msg)
    return {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", ())}


def check_exit_code(program: str, task: Mapping[str, Any]) -> None:
    """Raise TaskError unless a stopped task has ended with the exit code 0."""
    (container,) = task["containers"]
    if container.get("exitCode") == 0:
        return
    reason = container.get("reason") or task.get("stoppedReason") or "no reason is known"
    msg = f"{program} failed with exit code {container.get('exitCode', 'none')} ({reason})"
    raise TaskError(msg)
