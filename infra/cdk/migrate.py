"""Migrate the monolith's schema on AWS: `python -m infra.cdk.migrate`.

Run it after the migration stack is deployed, and before the monolith's. It starts a task, waits for
its end, and prints the end of its log if it failed. It can be repeated: a schema that is up to date
stays as it is. boto3 finds the account by its own variables; `NAME` is the deployment's name.
"""

import os
import sys
from collections import deque

import boto3
from botocore.exceptions import ClientError

from infra.cdk import components, names
from infra.cdk.one_off_task import Client, OneOffTask, TaskError
from infra.cdk.options import DeploymentOptions

TIMEOUT_SECONDS = 3600.0
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
    stack = names.stack(options, components.MIGRATION)
    task = OneOffTask(client, options, components.MIGRATION, stack)
    try:
        arn = task.start()
    except TaskError as error:
        raise MigrationError(str(error)) from error
    try:
        task.wait(arn, TIMEOUT_SECONDS)
    except TaskError as error:
        msg = f"The {error}. The end of its log:\n{_log_end(task, arn)}"
        raise MigrationError(msg) from error


def _log_end(task: OneOffTask, arn: str) -> str:
    try:
        return "\n".join(f"  {line}" for line in deque(task.lines(arn), LOG_LINES))
    except ClientError as error:
        return f"  {error}"


if __name__ == "__main__":
    sys.exit(main())
