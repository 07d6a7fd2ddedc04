"""The agent on a person's machine: runs a move on ECS as a task, and shows its log."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import boto3

from extraction.deployment.find import ECS
from extraction.deployment.port import DeploymentError
from infra import stages
from infra.cdk import components, names
from infra.cdk.one_off_task import DEFINITION, Client, OneOffTask, TaskError, read_outputs
from infra.cdk.options import DeploymentOptions
from infra.local_cloud.status import running_deployments
from infra.runner.config import ROOT

POLL_SECONDS = 1.0
_STOPPED_BY_USER = 130


def run_in_task(place: str, module: str, arguments: Sequence[str], domain: str | None) -> int:
    """Run a module's command line in a domain's mover; return its exit code.

    Without a domain, in any mover that is deployed. If a move of the domain runs already, only show
    its log.

    Raises:
        DeploymentError: no mover is deployed, or the task did not start.
    """
    options = DeploymentOptions(name=os.environ.get("NAME") or DeploymentOptions.name)
    try:
        mover = _find_mover(_find_client(place), options, [domain] if domain else stages.DOMAINS)
        running = mover.running() if domain else []
        if running:
            _say("A move of this domain is in progress; its log follows.")
        else:
            _say("Starting a task; on Fargate this takes about a minute.")
        arn = running[0] if running else mover.start(["python", "-m", module, *arguments])
        code = _watch(mover, arn)
    except TaskError as error:
        raise DeploymentError(str(error)) from error
    if code == 0 and domain and not {"--dry-run", "--phase"} & set(arguments):
        _say("Next, deploy the stage that the forum has now, without moving (docs/extracting.md).")
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
    for domain in domains:
        stack = names.stack(options, domain)
        try:
            outputs = read_outputs(client, stack)
        except TaskError:
            continue
        if components.MOVER + DEFINITION in outputs:
            return OneOffTask(client, options, components.mover(domain), stack, components.MOVER)
    wanted = domains[0] if len(domains) == 1 else "users"
    msg = (
        f"No mover is deployed. Deploy the present stage with moving={wanted} first"
        " (docs/deploy.md)."
    )
    raise DeploymentError(msg)


def _watch(mover: OneOffTask, arn: str) -> int:
    """Show a task's log until it ends; Ctrl-C stops the task, which can be resumed."""
    token, stopping = "", False
    while True:
        try:
            task = mover.describe(arn)
            ended = task is not None and task["lastStatus"] == "STOPPED"
            lines, token = mover.log(arn, token)
            for line in lines:
                _say(line)
            if ended and not lines:
                return _STOPPED_BY_USER if stopping else _exit_code(task or {})
            if not lines:
                time.sleep(POLL_SECONDS)
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
