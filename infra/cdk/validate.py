"""Validate new revisions of a blue-green deployment: `python -m infra.cdk.validate`.

Run it beside `cdk deploy`. ECS pauses the deployment of a component as soon as its new revision
gets the test traffic: requests with the header `X-Test-Traffic: yes`. This program sends some, and
lets the deployment continue or roll back, until Ctrl-C. boto3 finds the account by its own
variables; `NAME` is the deployment's name, and `ADDRESS` the forum's, which a certificate needs.
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
from botocore.exceptions import BotoCoreError, ClientError

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


# Of each component: a request without data, a read of its data, and one that needs a session.
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
    given = os.environ.get("ADDRESS", "").rstrip("/")

    def find_address() -> str:
        # Not at the start: the first deployment of all creates the load balancer.
        return given or _find_address(boto3.client, options)

    _say(f"Waiting for new revisions in the cluster {names.cluster(options)}.")
    try:
        Validator(boto3.client, options, find_address, _say).run(threading.Event())
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. A paused deployment rolls back after an hour.\n")
    return 130


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
    """Validates the new revisions of a deployment."""

    def __init__(
        self,
        client: Client,
        options: DeploymentOptions,
        find_address: Callable[[], str],
        say: Callable[[str], None],
    ) -> None:
        self._ecs, self._cluster = client("ecs"), names.cluster(options)
        self._find_address, self._say = find_address, say
        # ECS may go on to show a hook for a moment.
        self._decided: set[str] = set()
        self._errors: dict[str, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Decide on each deployment that is paused, until `stop` is set.

        An error of AWS is reported, and the next attempt follows: a deployment must not wait for
        the end of its hook because of it.
        """
        while not stop.is_set():
            for component in stages.COMPONENTS:
                try:
                    for paused in self.find_paused(component):
                        self._decide(paused)
                except (BotoCoreError, ClientError, TaskError) as error:
                    self._report(component, str(error).rstrip("."))
                else:
                    self._errors.pop(component, None)
            stop.wait(POLL_SECONDS)

    def find_paused(self, component: str) -> Iterator[PausedDeployment]:
        """Yield the deployments of a component that wait for a validation."""
        for deployment in self._deployments(component):
            for hook in deployment.get("lifecycleHookDetails", ()):
                waits = hook["targetType"] == "PAUSE" and hook["status"] == "AWAITING_ACTION"
                if waits and hook["hookId"] not in self._decided:
                    revision = self._revision(deployment["targetServiceRevision"]["arn"])
                    arn = deployment["serviceDeploymentArn"]
                    yield PausedDeployment(component, revision, arn, hook["hookId"])

    def _report(self, component: str, error: str) -> None:
        """Report an error, once until a round without it."""
        if self._errors.get(component) != error:
            self._errors[component] = error
            self._say(f"{component}: {error}. Trying again.")

    def _decide(self, paused: PausedDeployment) -> None:
        problem = validate(self._find_address(), paused.component, paused.revision)
        result = f"{problem}: it is rolled back" if problem else "is valid, and takes the requests"
        self._ecs.continue_service_deployment(
            serviceDeploymentArn=paused.arn,
            hookId=paused.hook,
            action="ROLLBACK" if problem else "CONTINUE",
        )
        self._decided.add(paused.hook)
        self._say(f"{paused.component}/{paused.revision}: {result}")

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


def validate(address: str, component: str, revision: str) -> str:
    """Send test traffic to a component; return what is wrong with its new revision, or nothing.

    Each request is repeated a few times if it fails: one failure is no reason to roll back.
    """
    expected = f"{component}/{revision}"
    with requests.Session() as session:
        session.headers[TEST_HEADER] = TEST_VALUE
        for check in CHECKS[component]:
            if problem := _repeat(session, address, check, expected):
                return f"{check.method} {check.path} {problem}"
    return ""


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
        response = session.request(
            check.method, address + check.path, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
    except requests.RequestException as error:
        return f"failed: {error}"
    server = response.headers.get("X-Served-By", "the load balancer")
    if server != expected:
        return f"got {response.status_code} from {server}"
    if response.status_code != check.status:
        return f"got {response.status_code} instead of {check.status}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
