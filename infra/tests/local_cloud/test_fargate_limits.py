"""Task definitions that would get rights on the machine are rejected, as by Fargate."""

from typing import Any

import pytest

from infra.local_cloud.fargate_limits import find_violation
from infra.tests.cdk.templates import templates

PLAIN = {
    "family": "plain",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "volumes": [{"name": "scratch", "host": {}}],
    "containerDefinitions": [
        {"name": "plain", "image": "plain", "linuxParameters": {"capabilities": {"drop": ["ALL"]}}}
    ],
}


def container(**more: Any) -> dict[str, Any]:
    return PLAIN | {"containerDefinitions": [{"name": "plain", "image": "plain", **more}]}


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (container(privileged=True), "do not support privileged"),
        (container(Privileged=True), "do not support privileged"),
        # A template's text, which MiniStack takes for true.
        (container(privileged="false"), "do not support privileged"),
        (container(linuxParameters={"capabilities": {"add": ["SYS_ADMIN"]}}), "SYS_ADMIN"),
        (container(linuxParameters={"Capabilities": {"Add": ["SYS_ADMIN"]}}), "SYS_ADMIN"),
        (container(linuxParameters={"devices": [{"hostPath": "/dev/sda"}]}), "devices"),
        (PLAIN | {"volumes": [{"name": "root", "host": {"sourcePath": "/"}}]}, "sourcePath"),
        (PLAIN | {"volumes": [{"name": "data", "host": {"sourcePath": "forum_keys"}}]}, "sourceP"),
        (PLAIN | {"volumes": [{"Name": "root", "Host": {"SourcePath": "/"}}]}, "sourcePath"),
        (
            PLAIN | {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"driver": "local"}}]},
            "dockerVolumeConfiguration",
        ),
        (PLAIN | {"pidMode": "host"}, "pidMode 'host'"),
        (PLAIN | {"ipcMode": "host"}, "ipcMode"),
        (PLAIN | {"networkMode": "host"}, "network mode"),
        (PLAIN | {"networkMode": "bridge"}, "network mode"),
        # The default without Fargate would publish ports on the machine.
        ({**PLAIN, "networkMode": "", "requiresCompatibilities": ["EC2"]}, "network mode"),
    ],
)
def test_right_on_the_machine_is_rejected(definition: dict[str, Any], message: str) -> None:
    assert message in find_violation(definition)


def test_definition_that_fargate_accepts_is_accepted() -> None:
    assert not find_violation(PLAIN)
    assert not find_violation(PLAIN | {"pidMode": "task"})
    assert not find_violation({**PLAIN, "networkMode": ""})


def test_definitions_of_our_templates_are_accepted() -> None:
    found = list(templates().all("AWS::ECS::TaskDefinition"))
    assert found
    assert not any(map(find_violation, found))
