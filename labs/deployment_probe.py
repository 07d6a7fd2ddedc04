"""A deployment that people made, on AWS or on this machine, as its checks see it."""

import os
from collections.abc import Callable
from typing import Any

import boto3
import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from infra.cdk import names
from infra.cdk.options import DeploymentOptions
from infra.local_cloud.target import read_target
from infra.local_environment import caller_environment
from labs.deployment_checks import LOCAL
from labs.outcome import CheckNotRun

_TIMEOUT = urllib3.Timeout(connect=5, read=20)
_SERVED_BY = "X-Served-By"


class DeploymentProbe:
    """The AWS API of a deployment of the CDK app, and the forum's address."""

    def __init__(self, client: Callable[[str], Any], address: str, options: DeploymentOptions):
        """Use `client`, which builds a client of an AWS service."""
        self.address = address
        self._client, self._options = client, options
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)

    def services(self) -> dict[str, dict[str, Any]]:
        """Return the ECS services by name, as DescribeServices has them; raise CheckNotRun."""
        cluster = names.cluster(self._options)
        ecs = self._client("ecs")
        arns = _ask(lambda: ecs.list_services(cluster=cluster)["serviceArns"])
        if not arns:
            return {}
        found = _ask(lambda: ecs.describe_services(cluster=cluster, services=arns)["services"])
        return {each["serviceName"]: each for each in found}

    def targets(self) -> dict[str, list[str]]:
        """Return the states of the targets of each group of the load balancer."""
        elbv2 = self._client("elbv2")
        balancers = _ask(lambda: elbv2.describe_load_balancers(Names=[self._options.name]))
        arn = balancers["LoadBalancers"][0]["LoadBalancerArn"]
        groups = _ask(lambda: elbv2.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"])
        return {
            group["TargetGroupName"]: self._states(elbv2, group["TargetGroupArn"])
            for group in groups
        }

    def _states(self, elbv2: Any, arn: str) -> list[str]:
        found = _ask(lambda: elbv2.describe_target_health(TargetGroupArn=arn))
        return [each["TargetHealth"]["State"] for each in found["TargetHealthDescriptions"]]

    def get(self, path: str) -> tuple[int, str]:
        """Return the status of a response, and the component that sent it; raise CheckNotRun."""
        try:
            response = self._http.request("GET", self.address + path, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            msg = f"{self.address} did not respond: {error}"
            raise CheckNotRun(msg) from error
        return response.status, response.headers.get(_SERVED_BY, "").partition("/")[0]


def open_deployment(place: str) -> DeploymentProbe:
    """Find the deployment on AWS, with the caller's credentials, or that of `make deploy-local`.

    Raises:
        CheckNotRun: there is none, or the AWS API refuses.
    """
    if place == LOCAL:
        target = read_target(os.environ)
        return DeploymentProbe(target.client, target.address, DeploymentOptions())
    # The labs run without the caller's profile and region, which this check needs.
    environment = caller_environment()
    options = DeploymentOptions(name=environment.get("NAME", DeploymentOptions.name))
    os.environ.clear()
    os.environ.update(environment)
    stack = f"{options.name}-edge"
    build: Any = boto3.client
    try:
        client = build("cloudformation")
    except BotoCoreError as error:
        raise CheckNotRun(str(error)) from error
    stacks = _ask(lambda: client.describe_stacks(StackName=stack)["Stacks"])
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stacks[0].get("Outputs", ())}
    return DeploymentProbe(build, outputs["Url"], options)


def _ask(request: Callable[[], Any]) -> Any:
    try:
        return request()
    except (BotoCoreError, ClientError) as error:
        msg = f"the AWS API did not answer: {error}"
        raise CheckNotRun(msg) from error
