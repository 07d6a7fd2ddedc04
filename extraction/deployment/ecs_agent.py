"""The agent on a person's machine: runs a move on ECS as a task, and shows its log."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import boto3

from chassis.clock import utc_now
from extraction.deployment.ecs_state_machine import MoveExecution
from extraction.deployment.find import ECS
from extraction.deployment.port import DeploymentError
from infra import stages
from infra.cdk import components, names
from infra.cdk.app import DATA
from infra.cdk.constructs.move_state_machine import DIRECTIONS
from infra.cdk.one_off_task import Client, OneOffTask, TaskError, read_outputs
from infra.cdk.options import DeploymentOptions
from infra.local_cloud.status import running_deployments
from infra.runner.config import ROOT

POLL_SECONDS = 1.0
_STOPPED_BY_USER = 130


def run_in_task(place: str, module: str, arguments: Sequence[str], domain: str | None) -> int:
    """Run a module's command line in a domain's mover; return its exit code.

    Without a domain, in any mover that is deployed. If the same move runs already, only show its
    log. A deployment with state machines runs whole moves by those.

    Raises:
        DeploymentError: no mover is deployed, the forum is not ready for moves, or the task did not
            start.
    """
    options = DeploymentOptions(name=os.environ.get("NAME") or DeploymentOptions.name)
    command = ["python", "-m", module, *arguments]
    client = _find_client(place)
    try:
        mover = _find_mover(client, options, [domain] if domain else stages.DOMAINS)
        machine = mover.find_output(components.MOVER + components.STATE_MACHINE)
        # Parts of a move, such as a phase, are for the task alone.
        if machine and arguments[0] in DIRECTIONS and [*arguments[1:]] == [domain]:
            return _say_what_is_next(MoveExecution(client, machine, _say).run(arguments[0]))
        if domain and place == ECS:
            _check_filters(client, names.stack(options, DATA))
        arn = mover.find_running(command)
        if arn:
            _say("This command runs already; its log follows.")
        else:
            _say("Starting a task; on Fargate this takes about a minute.")
            arn = mover.start(command)
        code = _watch(mover, arn)
    except TaskError as error:
        raise DeploymentError(str(error)) from error
    if domain and not {"--dry-run", "--phase"} & set(arguments):
        return _say_what_is_next(code)
    return code


def _say_what_is_next(code: int) -> int:
    if code == 0:
        _say("Next, deploy the stage that the forum has now (docs/extracting.md).")
    return code


def _find_client(place: str) -> Client:
    if place == ECS:
        return boto3.client
    project = os.environ.get("PROJECT")
    found = [
        target for target in running_deployments(ROOT) if project in {None, "", target.project}
    ]
    if len(found) == 1:
        return found[0].client
    if found:
        projects = ", ".join(target.project for target in found)
        msg = f"Several deployments of make deploy-local run; choose one with PROJECT: {projects}."
    else:
        msg = "No such forum of make deploy-local runs from this folder."
    raise DeploymentError(msg)


def _find_mover(client: Client, options: DeploymentOptions, domains: Sequence[str]) -> OneOffTask:
    """Return the mover of the first of these domains that may move.

    The monolith's stack is deployed last, so its output says that all components follow the owner.
    """
    monolith = read_outputs(client, names.stack(options, stages.MONOLITH))
    moving = monolith.get(components.MOVING, "").split(",")
    for domain in domains:
        if domain in moving:
            stack, program = names.stack(options, domain), components.mover(domain)
            return OneOffTask(client, options, program, stack, components.MOVER)
    wanted = domains[0] if len(domains) == 1 else "users"
    msg = (
        f"No mover is deployed. Deploy the present stage with moving={wanted} first"
        " (docs/extracting.md)."
    )
    raise DeploymentError(msg)


def _check_filters(client: Client, stack: str) -> None:
    """Check that SNS filters by the subscriptions' present policies, so that no event is dropped.

    Changes of a policy take up to 15 minutes, says AWS's page about filter policies; the data stack
    has them.

    Raises:
        DeploymentError: the stack changed less than 15 minutes ago.
    """
    (described,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    changed = described.get("LastUpdatedTime") or described["CreationTime"]
    settled = changed + timedelta(minutes=components.FILTER_MINUTES)
    if settled > utc_now():
        msg = (
            f"SNS may drop events until {settled:%H:%M} UTC, 15 minutes after the last change of"
            f" {stack}. Run this again then."
        )
        raise DeploymentError(msg)


def _watch(mover: OneOffTask, arn: str) -> int:
    """Show a task's log until it ends; Ctrl-C stops the task, which can be resumed."""
    token, stopping = "", False
    while True:
        try:
            task = mover.describe(arn)
            ended = task is not None and task["lastStatus"] == "STOPPED"
            lines, following = mover.log(arn, token)
            for line in lines:
                _say(line)
            if ended and following == token:
                return _STOPPED_BY_USER if stopping else _exit_code(task or {})
            if not lines:
                time.sleep(POLL_SECONDS)
            token = following
        except KeyboardInterrupt:
            if stopping:
                raise
            stopping = True
            _say("Stopping the task ...")
            mover.stop(arn, "Ctrl-C")


def _exit_code(task: Mapping[str, Any]) -> int:
    (container,) = task["containers"]
    code = container.get("exitCode")
    if code is None:
        _say(f"The task ended: {task.get('stoppedReason', 'no reason is known')}")
        _say("Run this again to resume.")
        return 1
    return int(code)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
