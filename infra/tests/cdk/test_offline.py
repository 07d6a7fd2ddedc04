"""Removal of unsupported resources for the emulator, and its health checks."""

import copy
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from infra.local_cloud import health, target
from infra.local_cloud.template_filter import (
    REASONS,
    StillReferencedError,
    remove_unsupported,
)
from infra.tests.cdk.templates import templates
from tests.support.servers import Server, reply


def test_only_resources_rejected_by_the_emulator_are_removed() -> None:
    stacks = [*templates().stacks.items(), *templates(environment="production").stacks.items()]
    for name, template in stacks:
        made, gone = remove_unsupported(template)
        assert set(gone.values()) <= REASONS.keys()
        before, after = template["Resources"], made["Resources"]
        assert before.keys() - after.keys() == gone.keys()
        for logical_id, resource in after.items():
            was = copy.deepcopy(before[logical_id])
            for each in (was, resource := copy.deepcopy(resource)):
                each.pop("DependsOn", None)
            assert resource == was, name
        rest = {key: value for key, value in template.items() if key != "Resources"}
        assert {key: value for key, value in made.items() if key != "Resources"} == rest


def test_every_rejected_resource_type_occurs() -> None:
    found = {
        resource["Type"]
        for made in (templates(), templates(environment="production"))
        for stack in made.stacks.values()
        for resource in stack["Resources"].values()
    }
    assert REASONS.keys() <= found


def test_template_itself_is_not_changed() -> None:
    template = templates().stack("posts")
    before = json.dumps(template)
    remove_unsupported(template)
    assert json.dumps(template) == before


def test_removing_a_referenced_resource_is_an_error() -> None:
    flow = {"Type": "AWS::EC2::FlowLog"}
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "Flow"}}}
    with pytest.raises(StillReferencedError, match="Flow"):
        remove_unsupported({"Resources": {"Flow": flow, "Bucket": bucket}})
    out = {"Value": {"Fn::GetAtt": ["Flow", "Id"]}}
    with pytest.raises(StillReferencedError, match="Flow"):
        remove_unsupported({"Resources": {"Flow": flow}, "Outputs": {"It": out}})


def answer(request: BaseHTTPRequestHandler, _: bytes) -> None:
    reply(request, 200 if request.path == "/readyz" else 503, b"")


@pytest.fixture
def port() -> Iterator[int]:
    with Server(answer) as server:
        yield server.port


def test_target_is_healthy_when_its_status_matches_the_codes(port: int) -> None:
    assert health.target_is_healthy("127.0.0.1", port, "/readyz")
    assert health.target_is_healthy("127.0.0.1", port, "/readyz", "301,200-204")
    assert not health.target_is_healthy("127.0.0.1", port, "/other")
    assert not health.target_is_healthy("127.0.0.1", 1, "/readyz")


def test_task_that_ends_or_stays_unhealthy_is_an_error() -> None:
    with pytest.raises(health.NotHealthyError, match="posts ended"):
        health.wait(lambda: False, lambda: "posts", lambda: False, 5)
    with pytest.raises(health.NotHealthyError, match="not healthy after 0 s"):
        health.wait(lambda: False, lambda: "", lambda: False, 0)
    assert not health.wait(lambda: False, lambda: "", lambda: True, 5)
    assert health.wait(lambda: True, lambda: "", lambda: False, 5)


def test_invalid_deployment_target_is_refused_with_a_reason() -> None:
    assert target.read_target({}) == target.DeploymentTarget("forum-local", 8080)
    with pytest.raises(ValueError, match="PORT must be a port"):
        target.read_target({"PORT": "http"})
    with pytest.raises(ValueError, match="PROJECT must be a short name"):
        target.read_target({"PROJECT": "My Forum"})
