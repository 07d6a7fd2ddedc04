"""Production's retained resources: a stage can be entered again, and a failed creation repeated."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local_cloud.template_filter import remove_unsupported
from infra.tests.cdk.templates import Templates, templates
from infra.tests.local_cloud.test_emulator_guard import Emulator
from tests.support.waits import wait_until

NONE, ALL = (templates(environment="production", extracted=each) for each in ("", "users,posts"))
BOOTSTRAPPED = "/cdk-bootstrap/hnb659fds/version"
IMPORTABLE = {
    # CloudFormation finds these by the name in the template: it is their primary identifier.
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Logs::LogGroup": "LogGroupName",
}
SAME_AT_EVERY_STAGE = {"AWS::SQS::Queue", "AWS::SecretsManager::Secret", "AWS::S3::Bucket"}
RETAINED = "RetainExceptOnCreate"


class Cloud:
    """CloudFormation of an emulator, as `cdk deploy` uses it."""

    def __init__(self, emulator: Emulator) -> None:
        emulator.client("ssm").put_parameter(Name=BOOTSTRAPPED, Value="30", Type="String")
        self.tables, self.queues = emulator.client("dynamodb"), emulator.client("sqs")
        self._stacks = emulator.client("cloudformation")
        self._count = 0

    def deploy(self, what: str, template: dict[str, Any], *, adopt: bool) -> list[dict[str, Any]]:
        """Deploy a stack by a change set; return the changes."""
        there = {each["StackName"] for each in self._stacks.describe_stacks()["Stacks"]}
        self._count += 1
        stack, change_set = f"forum-{what}", f"change{self._count}"
        named = {"StackName": stack, "ChangeSetName": change_set}
        self._stacks.create_change_set(
            **named,
            ChangeSetType="UPDATE" if stack in there else "CREATE",
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            ImportExistingResources=adopt,
        )
        wait_until(lambda: self._stacks.describe_change_set(**named)["Status"] == "CREATE_COMPLETE")
        changes = self._stacks.describe_change_set(**named)["Changes"]
        self._stacks.execute_change_set(**named)
        wait_until(lambda: not self.status(what).endswith("_IN_PROGRESS"))
        return [each["ResourceChange"] for each in changes]

    def status(self, what: str) -> str:
        """Return the status of a stack."""
        (stack,) = self._stacks.describe_stacks(StackName=f"forum-{what}")["Stacks"]
        return str(stack["StackStatus"])

    def delete(self, what: str) -> None:
        """Delete a stack, and wait for the end."""
        self._stacks.delete_stack(StackName=f"forum-{what}")
        self._stacks.get_waiter("stack_delete_complete").wait(
            StackName=f"forum-{what}", WaiterConfig={"Delay": 1}
        )


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Emulator() as emulator:
        made = Cloud(emulator)
        made.deploy("network", data(NONE, "network"), adopt=False)
        assert made.status("network") == "CREATE_COMPLETE"
        yield made


def data(made: Templates, what: str = "data") -> dict[str, Any]:
    return remove_unsupported(made.stack(what))[0]


def of_tables(changes: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Return the changes of tables by their kind: the logical ids."""
    found: dict[str, set[str]] = {}
    for each in changes:
        if each["ResourceType"] == "AWS::DynamoDB::Table":
            found.setdefault(each["Action"], set()).add(each["LogicalResourceId"])
    return found


def test_stage_is_entered_again_with_its_data(cloud: Cloud) -> None:
    tables = {
        key
        for key, each in ALL.stack("data")["Resources"].items()
        if each["Type"] == "AWS::DynamoDB::Table"
    }
    cloud.deploy("data", data(NONE), adopt=True)
    assert of_tables(cloud.deploy("data", data(ALL), adopt=True)) == {"Add": tables}
    description = cloud.tables.describe_table(TableName="forum-users")["Table"]
    key = {each["AttributeName"]: {"S": "kept"} for each in description["KeySchema"]}
    cloud.tables.put_item(TableName="forum-users", Item=key)
    for _ in range(2):
        assert of_tables(cloud.deploy("data", data(NONE), adopt=True)) == {"Remove": tables}
        changes = cloud.deploy("data", data(ALL), adopt=True)
        assert of_tables(changes) == {"Import": tables}
        assert cloud.status("data") == "UPDATE_COMPLETE"
        assert cloud.tables.get_item(TableName="forum-users", Key=key)["Item"] == key
        # Nothing else that a former stage has kept is created again.
        assert not {each["ResourceType"] for each in changes if each["Action"] == "Add"} & {
            *IMPORTABLE,
            *SAME_AT_EVERY_STAGE,
        }


def test_failed_creation_leaves_nothing_in_the_way(cloud: Cloud) -> None:
    template = data(ALL)
    broken = {
        "Type": "AWS::SQS::Queue",
        "Properties": {"VisibilityTimeout": 10**6},
        "DependsOn": list(template["Resources"]),
    }
    template["Resources"]["Broken"] = broken
    cloud.deploy("data", template, adopt=True)
    assert cloud.status("data") == "ROLLBACK_COMPLETE"
    # Unlike AWS, the emulator also deletes tables that are protected against deletion.
    assert cloud.tables.list_tables()["TableNames"] == []
    assert cloud.queues.list_queues().get("QueueUrls", []) == []
    cloud.delete("data")
    cloud.deploy("data", data(ALL), adopt=True)
    assert cloud.status("data") == "CREATE_COMPLETE"


@pytest.mark.parametrize("extracted", ["", "users", "users,threads,posts"])
def test_retained_names_are_found_again_or_never_removed(extracted: str) -> None:
    made, every = (templates(environment="production", extracted=e) for e in (extracted, ""))
    kept = []
    for name, stack in made.stacks.items():
        for key, resource in stack["Resources"].items():
            if resource.get("DeletionPolicy") not in {"Retain", RETAINED}:
                continue
            kept.append(resource["Type"])
            assert resource["DeletionPolicy"] == RETAINED
            if identifier := IMPORTABLE.get(resource["Type"]):
                # A reference in the name would hide it from CloudFormation.
                assert isinstance(resource["Properties"][identifier], str)
            else:
                assert resource["Type"] in SAME_AT_EVERY_STAGE
                assert every.stacks[name]["Resources"][key]["Type"] == resource["Type"]
    assert {*SAME_AT_EVERY_STAGE, "AWS::Logs::LogGroup"} <= set(kept)
