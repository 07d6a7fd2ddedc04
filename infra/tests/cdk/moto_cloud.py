"""The templates deployed on moto, which implements AWS independently of MiniStack, in this process.

moto's templates hand only some properties of ECS' resources to its own ECS, delete some resources
of a stack not at all, and others before new ones are created. Here they do what AWS does.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from moto.core.utils import pascal_to_camelcase, remap_nested_keys
from moto.ecs.models import Service, TaskDefinition, ecs_backends
from moto.elbv2.models import FakeListenerRule, FakeTargetGroup, elbv2_backends
from moto.moto_api._internal import mock_random

from infra.cdk import names
from infra.cdk.app import DATA, EDGE, NETWORK, WATCH
from infra.cdk.options import DeploymentOptions
from infra.local_cloud.stacks import Stacks
from infra.stages import MONOLITH
from infra.tests.cdk.templates import Templates

REGION, ACCOUNT_ID = "eu-central-1", "123456789012"
FULL_NAME = "TargetGroupFullName"
Template = dict[str, Any]
STRIPPED = {
    "AWS::ApplicationAutoScaling::ScalableTarget": "moto scales nothing",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "moto scales nothing",
    "AWS::CloudWatch::Alarm": "moto measures nothing",
    "AWS::CloudWatch::Dashboard": "moto measures nothing",
    "AWS::EC2::FlowLog": "there is no traffic of a VPC to log",
    "AWS::EC2::SecurityGroupEgress": "moto's templates have none",
    "AWS::KMS::Key": "moto fails at one with tags",
    "AWS::Logs::MetricFilter": "moto writes no logs",
    "AWS::RDS::DBInstance": "moto fails at one with a parameter group",
    "AWS::S3::BucketPolicy": "moto does not check it",
    "AWS::SNS::Subscription": "no event is sent here",
    "AWS::SNS::TopicPolicy": "moto does not check it",
    "AWS::SQS::QueuePolicy": "moto does not check it",
    "AWS::SecretsManager::Secret": "moto's templates have none; a reference becomes its ARN",
    "AWS::SecretsManager::SecretTargetAttachment": "it belongs to a secret",
    "AWS::ServiceDiscovery::HttpNamespace": "moto's templates have none",
}
"""Types of resources that moto's CloudFormation lacks, with the reason why that is no loss."""


class MotoCloud:
    """An empty account, in which the templates are deployed in the order of docs/deploy.md."""

    def __init__(self) -> None:
        self._stacks = Stacks(self)  # type: ignore[arg-type]
        self._stacks.bootstrap()
        self._deployed: dict[str, Template] = {}

    def client(self, service: str) -> Any:
        """Return a client of moto."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=REGION,
            aws_access_key_id="moto",
            aws_secret_access_key="moto",
            # moto takes what would go to AWS itself.
            config=Config(ignore_configured_endpoint_urls=True),  # type: ignore[call-arg]
        )

    def deploy(self, made: Templates) -> None:
        """Change to a stage: new domains before the monolith, former ones after it."""
        options = made.options
        former = [name for name in self.components() if name not in options.components]
        self._deploy(made, NETWORK)
        self._deploy(made, DATA, keep=bool(former))
        self._deploy(made, EDGE)
        for name in (*options.services, MONOLITH, WATCH):
            self._deploy(made, name)
        if former:
            for name in former:
                self._stacks.delete([names.stack(options, name)])
                del self._deployed[names.stack(options, name)]
            self._deploy(made, DATA)

    def components(self) -> list[str]:
        """Return the components that have a stack."""
        prefix = names.stack(DeploymentOptions(), "")
        others = {NETWORK, DATA, EDGE, WATCH}
        found = (name.removeprefix(prefix) for name in self._deployed)
        return [name for name in found if name not in others]

    def _deploy(self, made: Templates, what: str, *, keep: bool = False) -> None:
        """Deploy a stack, and remove its obsolete resources after that, unless they are kept."""
        name = names.stack(made.options, what)
        wanted = strip(made.stack(what))
        if not wanted["Resources"]:
            return
        former = self._deployed.get(name, {"Resources": {}})["Resources"]
        both = wanted | {"Resources": former | wanted["Resources"]}
        self._stacks.deploy(name, both)
        if not keep and both != wanted:
            self._stacks.deploy(name, wanted)
        self._deployed[name] = both if keep else wanted


def strip(template: Template) -> Template:
    """Return a template without what moto lacks; references become a text."""
    made = copy.deepcopy(template)
    resources = made.setdefault("Resources", {})
    stripped = {name: each for name, each in resources.items() if each["Type"] in STRIPPED}
    gone = {logical_id: _stand_in(stripped, logical_id) for logical_id in stripped}
    for logical_id in gone:
        del resources[logical_id]
    for resource in resources.values():
        before = resource.pop("DependsOn", [])
        before = [before] if isinstance(before, str) else before
        resource["DependsOn"] = [each for each in before if each not in gone]
    filled: Template = _fill(made, gone)
    return filled


def secret_arn(name: str) -> str:
    """Return the text that stands for a secret."""
    return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:{name}"


def _stand_in(stripped: Template, logical_id: str) -> str:
    """Return the text that replaces a reference to a resource."""
    properties = stripped[logical_id].get("Properties", {})
    match stripped[logical_id]["Type"]:
        case "AWS::SecretsManager::Secret":
            return secret_arn(properties["Name"])
        case "AWS::SecretsManager::SecretTargetAttachment":
            return _stand_in(stripped, properties["SecretId"]["Ref"])
        case _:
            return logical_id


def _fill(value: Any, gone: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_fill(each, gone) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("Ref") in gone:
        return gone[value["Ref"]]
    if "Fn::GetAtt" in value and value["Fn::GetAtt"][0] in gone:
        return gone[value["Fn::GetAtt"][0]]
    return {key: _fill(each, gone) for key, each in value.items()}


@contextmanager
def moto_cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoCloud]:
    """Run moto with an empty account."""
    monkeypatch.setattr(TaskDefinition, "create_from_cloudformation_json", _create_task)
    monkeypatch.setattr(TaskDefinition, "update_from_cloudformation_json", _update_task)
    monkeypatch.setattr(Service, "create_from_cloudformation_json", _create_service)
    monkeypatch.setattr(Service, "update_from_cloudformation_json", _update_service)
    monkeypatch.setattr(FakeTargetGroup, "get_cfn_attribute", _full_name, raising=False)
    monkeypatch.setattr(FakeTargetGroup, "has_cfn_attr", lambda name: name == FULL_NAME)
    for kind, delete in (
        (FakeListenerRule, _delete_rule),
        (FakeTargetGroup, _delete_target_group),
        (Service, _delete_service),
    ):
        monkeypatch.setattr(kind, "delete", delete, raising=False)
    mock_random.seed(0)
    with mock_aws():
        yield MotoCloud()


def _full_name(group: FakeTargetGroup, attribute: str) -> str:
    """Return the one attribute of a target group that templates refer to."""
    if attribute != FULL_NAME:
        raise NotImplementedError(attribute)
    return str(group.arn).rpartition(":")[2]


def _camel_case(cloudformation_json: Template) -> dict[str, Any]:
    """Return a resource's properties as ECS' own API has them."""
    found: dict[str, Any] = remap_nested_keys(
        cloudformation_json["Properties"], pascal_to_camelcase
    )
    return found


def _create_task(
    _name: str, cloudformation_json: Template, account_id: str, region_name: str, **_: Any
) -> TaskDefinition:
    given = _camel_case(cloudformation_json)
    return ecs_backends[account_id][region_name].register_task_definition(
        family=given["family"],
        container_definitions=given["containerDefinitions"],
        network_mode=given["networkMode"],
        requires_compatibilities=given["requiresCompatibilities"],
        cpu=given["cpu"],
        memory=given["memory"],
        task_role_arn=given["taskRoleArn"],
        execution_role_arn=given["executionRoleArn"],
        runtime_platform=given["runtimePlatform"],
    )


def _update_task(
    cloudformation_json: Template, account_id: str, region_name: str, **_: Any
) -> TaskDefinition:
    """Register a new revision, as every change of a definition does."""
    return _create_task("", cloudformation_json, account_id, region_name)


def _create_service(
    _name: str, cloudformation_json: Template, account_id: str, region_name: str, **_: Any
) -> Service:
    given = _camel_case(cloudformation_json)
    return ecs_backends[account_id][region_name].create_service(
        given["cluster"],
        given["serviceName"],
        # ECS' default.
        int(given.get("desiredCount", 1)),
        task_definition_str=given["taskDefinition"],
        load_balancers=given.get("loadBalancers", []),
        launch_type=given["launchType"],
        network_configuration=given["networkConfiguration"],
    )


def _update_service(
    cloudformation_json: Template, account_id: str, region_name: str, **_: Any
) -> Service:
    given = _camel_case(cloudformation_json)
    return ecs_backends[account_id][region_name].update_service(
        {
            "cluster": given["cluster"],
            "service": given["serviceName"],
            "task_definition": given["taskDefinition"],
            "desired_count": given.get("desiredCount"),
            "load_balancers": given.get("loadBalancers", []),
        }
    )


def _delete_rule(rule: FakeListenerRule, account_id: str, region_name: str) -> None:
    elbv2_backends[account_id][region_name].delete_rule(rule.arn)


def _delete_target_group(group: FakeTargetGroup, account_id: str, region_name: str) -> None:
    """Delete a target group, which moto refuses while a listener or a rule has it."""
    elbv2_backends[account_id][region_name].delete_target_group(group.arn)


def _delete_service(service: Service, account_id: str, region_name: str) -> None:
    backend = ecs_backends[account_id][region_name]
    backend.delete_service(service.cluster_name, service.name, force=True)
