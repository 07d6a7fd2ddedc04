"""A forum that is deployed in an account of AWS already, for suites that otherwise start one."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from infra.cdk import components, names
from infra.cdk.app import EDGE
from infra.cdk.options import DeploymentOptions
from infra.domains import package
from infra.local_environment import caller_environment
from infra.runner.config import PORTS, RunConfig
from tests.deploy.keys import copy_keys

# What a definition has beside what registering one takes.
READ_ONLY = {
    *("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities"),
    *("registeredAt", "registeredBy", "deregisteredAt", "deleteRequestedAt"),
}


class InAccount:
    """The stage that is deployed, with the methods of `RunnerStack` that the contract suite needs.

    The caller's environment names the account (`AWS_ACCESS_KEY_ID` and so on). Suites also ask the
    components past the load balancer: at the tasks' public addresses, which a security group must
    allow, or with `FORUM_ADDRESSES=private` inside the network. The forum must be empty: the suite
    creates its first moderator. Leaving the block leaves all as is.
    """

    def __init__(
        self,
        extracted: frozenset[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Describe a stage; `environment` is added to the owner of users, which limits sign-ins."""
        self.config = RunConfig(extracted, dict.fromkeys(PORTS, 0), directory, demo=False)
        self.options = replace(DeploymentOptions(), extracted=extracted)
        self.base_url = ""
        self._environment = dict(environment or {})
        # The tests' own environment has no account.
        self._caller = {**os.environ, **caller_environment()}
        self._ecs = self._client("ecs")

    @property
    def urls(self) -> Mapping[str, str]:
        """Each component's own address, past the load balancer."""
        return {
            name: f"http://{self._address(name)}:{components.PORT}"
            for name in self.config.components
        }

    def moderator(self, username: str) -> None:
        """Make a user a moderator, by a task of its own."""
        owner = self.config.owner("users")
        command = ["python", "-m", package(owner), "moderator", username]
        (started,) = self._ecs.run_task(
            cluster=names.cluster(self.options),
            launchType="FARGATE",
            taskDefinition=self._service(owner)["taskDefinition"],
            networkConfiguration=self._service(owner)["networkConfiguration"],
            overrides={"containerOverrides": [{"name": owner, "command": command}]},
        )["tasks"]
        task = {"cluster": names.cluster(self.options), "tasks": [started["taskArn"]]}
        self._ecs.get_waiter("tasks_stopped").wait(**task)
        (stopped,) = self._ecs.describe_tasks(**task)["tasks"]
        (code,) = [c.get("exitCode") for c in stopped["containers"] if c["name"] == owner]
        # The emulator has no code of a task that ends before its first check.
        assert not code, stopped.get("stoppedReason")

    def __enter__(self) -> "InAccount":
        stack = names.stack(self.options, EDGE)
        (edge,) = self._client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        found = {each["OutputKey"]: each["OutputValue"] for each in edge["Outputs"]}
        self.base_url = self._caller.get("FORUM_URL") or found["Url"]
        copy_keys(self._client("secretsmanager"), self.options, self.config)
        if self._environment:
            self._add_environment(self.config.owner("users"))
        return self

    def __exit__(self, *_: object) -> None:
        """Leave everything as it is."""

    def _client(self, service: str) -> Any:
        """Return a client of the caller's account, which the tests otherwise do not see."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=self._caller.get("AWS_REGION") or self._caller["AWS_DEFAULT_REGION"],
            aws_access_key_id=self._caller["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._caller["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=self._caller.get("AWS_SESSION_TOKEN"),
            endpoint_url=self._caller.get("AWS_ENDPOINT_URL"),
            config=Config(ignore_configured_endpoint_urls=True),  # type: ignore[call-arg]
        )

    def _service(self, name: str) -> dict[str, Any]:
        cluster = names.cluster(self.options)
        found = self._ecs.describe_services(cluster=cluster, services=[names.service(name)])
        (service,) = found["services"]
        described: dict[str, Any] = service
        return described

    def _address(self, name: str) -> str:
        cluster = names.cluster(self.options)
        arns = self._ecs.list_tasks(cluster=cluster, serviceName=names.service(name))["taskArns"]
        task = self._ecs.describe_tasks(cluster=cluster, tasks=arns[:1])["tasks"][0]
        details = {
            each["name"]: each["value"]
            for attachment in task["attachments"]
            for each in attachment["details"]
        }
        if self._caller.get("FORUM_ADDRESSES") == "private":
            return str(details["privateIPv4Address"])
        interfaces = self._client("ec2").describe_network_interfaces(
            NetworkInterfaceIds=[details["networkInterfaceId"]]
        )
        return str(interfaces["NetworkInterfaces"][0]["Association"]["PublicIp"])

    def _add_environment(self, name: str) -> None:
        """Deploy a component with more variables; the next deployment by the CDK removes them."""
        cluster, before = names.cluster(self.options), self._service(name)["taskDefinition"]
        task = self._ecs.describe_task_definition(taskDefinition=before)["taskDefinition"]
        added = [{"name": key, "value": value} for key, value in self._environment.items()]
        for container in task["containerDefinitions"]:
            kept = [e for e in container["environment"] if e["name"] not in self._environment]
            container["environment"] = [*kept, *added]
        made = {key: value for key, value in task.items() if key not in READ_ONLY}
        arn = self._ecs.register_task_definition(**made)["taskDefinition"]["taskDefinitionArn"]
        self._ecs.update_service(cluster=cluster, service=name, taskDefinition=arn)
        self._ecs.get_waiter("services_stable").wait(cluster=cluster, services=[name])
