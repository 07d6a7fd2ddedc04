"""Stacks at the emulator, managed by CloudFormation's API."""

import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.local_cloud.target import DeploymentTarget
from infra.ministack import REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

SECONDS = 600.0
# The CDK's templates check that the account is bootstrapped.
BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
TEMPLATES = "cdk-hnb659fds-assets"
"""The bucket of templates, because a request may have no more than 51,200 characters of one."""
_CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")


class StackError(Exception):
    """A stack operation failed; the message contains CloudFormation's reason."""


class Stacks:
    """The stacks of an offline deployment."""

    def __init__(self, place: DeploymentTarget) -> None:
        self._client: CloudFormationClient = place.client("cloudformation")
        self._parameters = place.client("ssm")
        self._files = place.client("s3")

    def bootstrap(self) -> None:
        """Create the bucket of templates, and mark the account as bootstrapped."""
        if not self._has_templates():
            self._files.create_bucket(
                Bucket=TEMPLATES, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        self._parameters.put_parameter(Name=BOOTSTRAP, Value="30", Type="String", Overwrite=True)

    def names(self) -> set[str]:
        """Return the names of existing stacks."""
        pages = self._client.get_paginator("describe_stacks").paginate()
        return {stack["StackName"] for page in pages for stack in page["Stacks"]}

    def created(self) -> set[str]:
        """Return the names of created stacks, without those whose creation failed."""
        return {name for name in self.names() if self._status(name) != "ROLLBACK_COMPLETE"}

    def deploy(self, name: str, template: dict[str, Any]) -> bool:
        """Create or update a stack; return whether anything changed.

        Raises:
            StackError: it failed, and CloudFormation rolled it back.
        """
        key = f"{name}.json"
        self._files.put_object(Bucket=TEMPLATES, Key=key, Body=json.dumps(template))
        arguments: dict[str, Any] = {
            "StackName": name,
            "TemplateURL": f"https://s3.amazonaws.com/{TEMPLATES}/{key}",
            "Capabilities": list(_CAPABILITIES),
        }
        if self._status(name) == "ROLLBACK_COMPLETE":
            # Its creation failed, and CloudFormation allows no update of it.
            self.delete([name])
        if name not in self.names():
            self._client.create_stack(**arguments)
            self._settled(name, "CREATE_COMPLETE")
            return True
        try:
            self._client.update_stack(**arguments)
        except ClientError as error:
            if "No updates" in error.response["Error"]["Message"]:
                return False
            raise
        self._settled(name, "UPDATE_COMPLETE")
        return True

    def remove_templates(self) -> None:
        """Remove the bucket of templates, if there is one."""
        if not self._has_templates():
            return
        for each in self._files.list_objects_v2(Bucket=TEMPLATES).get("Contents", ()):
            self._files.delete_object(Bucket=TEMPLATES, Key=each["Key"])
        self._files.delete_bucket(Bucket=TEMPLATES)

    def _has_templates(self) -> bool:
        return TEMPLATES in {each["Name"] for each in self._files.list_buckets()["Buckets"]}

    def delete(self, names: Iterable[str]) -> None:
        """Delete stacks concurrently."""
        wanted = tuple(names)
        for name in wanted:
            self._client.delete_stack(StackName=name)
        for name in wanted:
            self._settled(name, "DELETE_COMPLETE")

    def _settled(self, name: str, wanted: str) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            status = self._status(name)
            if status == wanted:
                return
            if not status.endswith("IN_PROGRESS"):
                msg = f"{name} is {status}:\n{self._failures(name)}"
                raise StackError(msg)
            time.sleep(0.2)
        msg = f"{name} is still {self._status(name)} after {SECONDS:g} s"
        raise StackError(msg)

    def _status(self, name: str) -> str:
        try:
            (stack,) = self._client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return "DELETE_COMPLETE"
            raise
        return str(stack["StackStatus"])

    def _failures(self, name: str) -> str:
        try:
            events = self._client.describe_stack_events(StackName=name)["StackEvents"]
        except ClientError as error:
            return str(error)
        return "\n".join(
            f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
            for event in events
            if event["ResourceStatus"].endswith("FAILED")
        )
