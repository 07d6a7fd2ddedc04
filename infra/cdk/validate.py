"""Validate new revisions of a blue-green deployment: `python -m infra.cdk.validate`.

Run it beside `cdk deploy`. ECS pauses the deployment of a component as soon as its new revision
gets the test traffic, which are the requests with the header `X-Test-Traffic: yes`. This program
sends it some, and lets the deployment continue, or roll back. It does so until Ctrl-C. boto3 finds
the account by its own variables; `NAME` is the deployment's name, and `ADDRESS` the forum's, if its
certificate is for another name than the load balancer's own.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import boto3
import requests
from botocore.exceptions import ClientError

from infra import stages
from infra.cdk import names
from infra.cdk.app import EDGE
from infra.cdk.constructs.listener_rules import TEST_HEADER, TEST_VALUE
from infra.cdk.one_off_task import Client, TaskError, read_outputs
from infra.cdk.options import DeploymentOptions

POLL_SECONDS = 2.0
TRIES, PAUSE_SECONDS, TIMEOUT_SECONDS = 5, 1.0, 10.0
# What ECS says of a component that is not deployed.
_MISSING = {"ClusterNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException"}
_NOBODY = "00000000-0000-7000-8000-000000000000"


class Check(NamedTuple):
    """A request without a session, and the status of its response."""

    method: str
    path: str
    status: int


# Of each component: its program, a read of its data, and a request that needs a session.
CHECKS: Mapping[str, tuple[Check, ...]] = {
    stages.MONOLITH: (
        Check("GET", "/sign-in", 200),
        Check("GET", "/", 200),
        Check("GET", "/threads/new", 303),
    ),
    "users": (
        Check("GET", "/api/users/openapi.json", 200),
        Check("GET", f"/api/users?ids={_NOBODY}", 200),
        Check("GET", "/api/users/me", 401),
    ),
    "threads": (
        Check("GET", "/api/threads/openapi.json", 200),
        Check("GET", "/api/threads", 200),
        Check("DELETE", f"/api/threads/{_NOBODY}", 401),
    ),
    "posts": (
        Check("GET", "/api/posts/openapi.json", 200),
        Check("GET", f"/api/posts/by-user/{_NOBODY}", 200),
        Check("DELETE", f"/api/posts/{_NOBODY}", 401),
    ),
}


@dataclass(frozen=True)
class PausedDeployment:
    """A deployment that waits for its validation."""

    component: str
    revision: str
    arn: str
    hook: str


def main() -> int:
    """Validate until Ctrl-C; return the exit code."""
    options = DeploymentOptions(name=os.environ.get("NAME") or DeploymentOptions.name)
    try:
        address = os.environ.get("ADDRESS") or _find_address(boto3.client, options)
        Validator(boto3.client, options, address, _say).run(threading.Event())
    except TaskError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. A paused deployment rolls back after an hour.\n")
        return 130
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _find_address(client: Client, options: DeploymentOptions) -> str:
    """Return the address of the load balancer; raise a TaskError if it is not deployed."""
    address = read_outputs(client, names.stack(options, EDGE))["Url"]
    if address.startswith("https:"):
        msg = "Set ADDRESS to the name of the certificate: ADDRESS=https://forum.example.org"
        raise TaskError(msg)
    return address


class Validator:
    """Validates the new revisions of a deployment at `address`."""

    def __init__(
        self, client: Client, options: DeploymentOptions, address: str, say: Callable[[str], None]
    ) -> None:
        self._ecs, self._cluster = client("ecs"), names.cluster(options)
        self._address, self._say = address, say

    def run(self, stop: threading.Event) -> None:
        """Decide on each deployment that is paused, until `stop` is set."""
        while not stop.is_set():
            for paused in self.find_paused():
                self._decide(paused)
            stop.wait(POLL_SECONDS)

    def find_paused(self) -> Iterator[PausedDeployment]:
        """Yield the deployments that wait for a validation."""
        for component in stages.COMPONENTS:
            for deployment in self._deployments(component):
                for hook in deployment.get("lifecycleHookDetails", ()):
                    if hook["targetType"] == "PAUSE" and hook["status"] == "AWAITING_ACTION":
                        revision = self._revision(deployment["targetServiceRevision"]["arn"])
                        arn = deployment["serviceDeploymentArn"]
                        yield PausedDeployment(component, revision, arn, hook["hookId"])

    def _decide(self, paused: PausedDeployment) -> None:
        problems = validate(self._address, paused.component, paused.revision)
        self._ecs.continue_service_deployment(
            serviceDeploymentArn=paused.arn,
            hookId=paused.hook,
            action="ROLLBACK" if problems else "CONTINUE",
        )
        who = f"{paused.component}/{paused.revision}"
        for problem in problems:
            self._say(f"{who}: {problem}")
        self._say(f"{who}: {'is rolled back' if problems else 'is valid, and takes the requests'}")

    def _deployments(self, component: str) -> list[Any]:
        """Return the deployments of a component that are in progress."""
        try:
            listed = self._ecs.list_service_deployments(
                cluster=self._cluster, service=names.service(component), status=["IN_PROGRESS"]
            )["serviceDeployments"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                return []
            raise
        arns = [each["serviceDeploymentArn"] for each in listed]
        if not arns:
            return []
        described = self._ecs.describe_service_deployments(serviceDeploymentArns=arns)
        return list(described["serviceDeployments"])

    def _revision(self, service_revision: str) -> str:
        """Return the forum's own name of a revision, as in X-Served-By."""
        (found,) = self._ecs.describe_service_revisions(serviceRevisionArns=[service_revision])[
            "serviceRevisions"
        ]
        definition = self._ecs.describe_task_definition(taskDefinition=found["taskDefinition"])
        (revision,) = (
            variable["value"]
            for container in definition["taskDefinition"]["containerDefinitions"]
            for variable in container.get("environment", ())
            if variable["name"] == "REVISION"
        )
        return str(revision)


def validate(address: str, component: str, revision: str) -> list[str]:
    """Send test traffic to a component; return what is wrong with its new revision.

    Each request is repeated a few times if it fails: one failure is no reason to roll back.
    """
    expected = f"{component}/{revision}"
    problems = []
    with requests.Session() as session:
        session.headers[TEST_HEADER] = TEST_VALUE
        for check in CHECKS[component]:
            if problem := _repeat(session, address, check, expected):
                problems.append(f"{check.method} {check.path} {problem}")
    return problems


def _repeat(session: requests.Session, address: str, check: Check, expected: str) -> str:
    problem = ""
    for number in range(TRIES):
        time.sleep(PAUSE_SECONDS if number else 0)
        problem = _find_problem(session, address, check, expected)
        if not problem:
            break
    return problem


def _find_problem(session: requests.Session, address: str, check: Check, expected: str) -> str:
    """Send a request; return what is wrong with the response, or an empty text."""
    try:
        answer = session.request(
            check.method, address + check.path, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
    except requests.RequestException as error:
        return f"failed: {error}"
    server = answer.headers.get("X-Served-By", "the load balancer")
    if server != expected:
        return f"was answered with {answer.status_code} by {server}"
    if answer.status_code != check.status:
        return f"was answered with {answer.status_code} instead of {check.status}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
