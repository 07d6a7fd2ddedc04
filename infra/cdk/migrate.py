"""Migrate the monolith's schema on AWS: `python -m infra.cdk.migrate`.

Run it after the migration stack is deployed, and before the monolith's. It starts a task, waits for
its end, and prints the end of its log if it failed. It can be repeated: a schema that is up to date
stays as it is. boto3 finds the account by its own variables; `NAME` is the deployment's name.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.cdk import components, names
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks import migration

Client = Callable[..., Any]
"""A factory of boto3's clients."""
TIMEOUT_SECONDS = 3600.0
POLL_SECONDS = 2.0
LOG_LINES = 40


class MigrationError(Exception):
    """The migration failed; the message has its reason and the end of its log."""


def main() -> int:
    """Migrate; return the exit code."""
    options = DeploymentOptions(name=os.environ.get("NAME") or DeploymentOptions.name)
    try:
        run(boto3.client, options)
    except MigrationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("The schema is up to date.\n")
    return 0


def run(client: Client, options: DeploymentOptions) -> None:
    """Run the migration as a task, and wait for its end.

    Raises:
        MigrationError: it did not start, failed, or takes too long.
    """
    outputs = _outputs(client("cloudformation"), names.stack(options, components.MIGRATION))
    started = client("ecs").run_task(
        cluster=names.cluster(options),
        launchType="FARGATE",
        taskDefinition=outputs[migration.DEFINITION],
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": outputs[migration.SUBNETS].split(","),
                "securityGroups": [outputs[migration.GROUP]],
                "assignPublicIp": outputs[migration.PUBLIC_ADDRESS],
            }
        },
    )
    if not started["tasks"]:
        msg = f"The migration was not started: {started['failures']}"
        raise MigrationError(msg)
    arn = started["tasks"][0]["taskArn"]
    task = _wait(client("ecs"), names.cluster(options), arn)
    (container,) = task["containers"]
    if container.get("exitCode") != 0:
        reason = container.get("reason") or task.get("stoppedReason") or "no reason is known"
        code = container.get("exitCode", "none")
        msg = (
            f"The migration failed with exit code {code} ({reason}). The end of its log:\n"
            f"{_log_end(client('logs'), options, arn)}"
        )
        raise MigrationError(msg)


def _outputs(cloudformation: Any, stack: str) -> Mapping[str, str]:
    try:
        (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        msg = f"The stack {stack} can't be read; deploy it first: {error}"
        raise MigrationError(msg) from error
    return {each["OutputKey"]: each["OutputValue"] for each in described["Outputs"]}


def _wait(ecs: Any, cluster: str, arn: str) -> Mapping[str, Any]:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        # A task is listed a moment after its start.
        for task in ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"]:
            if task["lastStatus"] == "STOPPED":
                found: Mapping[str, Any] = task
                return found
        time.sleep(POLL_SECONDS)
    msg = f"The migration still runs after {TIMEOUT_SECONDS:g} s: {arn}"
    raise MigrationError(msg)


def _log_end(logs: Any, options: DeploymentOptions, arn: str) -> str:
    program = components.MIGRATION
    try:
        events = logs.get_log_events(
            logGroupName=names.log_group(options, program),
            logStreamName=f"{program}/{program}/{arn.rpartition('/')[2]}",
            limit=LOG_LINES,
        )["events"]
    except ClientError as error:
        return f"  {error}"
    return "\n".join(f"  {event['message']}" for event in events)


if __name__ == "__main__":
    sys.exit(main())
