"""The offline deployment's emulator serves AWS clients, and pages only by the load balancer."""

import http.client
import json
import re
import socket
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.cdk.options import STRATEGIES
from infra.local_cloud.emulated import ACCESS_KEY, RESOURCE_TYPES, SETTINGS
from infra.local_cloud.template_filter import remove_unsupported
from infra.tests.cdk.templates import templates
from tests.support.bus import MiniStack
from tests.support.servers import Server, reply

COMMAND = (sys.executable, "-m", "infra.local_cloud.ministack_patches")
REGION = "eu-central-1"
LIST = "/?Action=ListQueues&Version=2012-11-05"
FORUM = "forum.alb.localhost"
PRIVILEGED = {"name": "greedy", "image": "greedy", "privileged": True}


def signature(key: str = ACCESS_KEY) -> dict[str, str]:
    scope = f"{key}/20260131/{REGION}/sqs/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}"}


SIGNED = signature()


def describe(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Respond as a component of the forum, with the request that it gets."""
    text = f"{request.command} {request.path} {request.headers['Origin']} {body.decode()}"
    reply(request, 200, text.encode(), (("X-From", "forum"),))


class Emulator(MiniStack):
    """The offline deployment's emulator as a process, without a container engine."""

    def __init__(self) -> None:
        super().__init__(COMMAND, SETTINGS | {"MINISTACK_ACCOUNT_ID": "000000000000"})

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def send(
        self, method: str, path: str, headers: dict[str, str], body: str = ""
    ) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.headers.get("X-From", ""), response.read().decode()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running, Server(describe) as target:
        balancers = running.client("elbv2")
        (balancer,) = balancers.create_load_balancer(Name="forum")["LoadBalancers"]
        (group,) = balancers.create_target_group(
            Name="forum", Protocol="HTTP", Port=target.port, TargetType="ip", VpcId="vpc-1"
        )["TargetGroups"]
        where = [{"Id": "127.0.0.1", "Port": target.port}]
        balancers.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=where)
        forward = {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}
        balancers.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=[forward],
        )
        yield running


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("OPTIONS", "/", {"Origin": "https://example.org"}),
        ("POST", LIST, SIGNED | {"Origin": "null"}),
        ("GET", LIST, SIGNED | {"Origin": f"http://{FORUM}"}),
        ("GET", LIST, SIGNED | {"Host": "rebound.example.org"}),
        ("GET", LIST, SIGNED | {"Host": "192.0.2.1"}),
        ("GET", LIST, {}),
        ("GET", LIST, signature("somebody")),
        ("GET", LIST, {"Authorization": f"Basic Credential={ACCESS_KEY}/"}),
        ("POST", "/_ministack/reset", {}),
        ("POST", "/_ministack/reset", SIGNED),
        ("GET", "/_aws/sqs/messages", SIGNED),
        ("GET", "/_alb/forum/", {}),
        ("POST", "/", {"Host": "localhost.example.org"}),
        # There is no such load balancer.
        ("POST", "/", {"Host": "other.alb.localhost"}),
    ],
)
def test_request_that_no_aws_client_sends_is_refused(
    emulator: Emulator, method: str, path: str, headers: dict[str, str]
) -> None:
    status, _, body = emulator.send(method, path, headers)
    assert status == 403
    assert "no web pages" in body


@pytest.mark.parametrize("host", [FORUM, "localhost"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/threads?page=%C3%A4"),
        ("POST", "/sign-in"),
        ("OPTIONS", "/api/posts"),
        # MiniStack itself responds to these, whatever the host.
        ("POST", "/_ministack/reset"),
        ("GET", "/health"),
        ("POST", "/Execute"),
        ("POST", "/v2/email/identities"),
        ("GET", LIST),
    ],
)
def test_load_balancers_host_reaches_the_forum_alone(
    emulator: Emulator, method: str, path: str, host: str
) -> None:
    headers = {"Host": f"{host}:{emulator.port}", "Origin": "https://example.org"}
    body = "text=1" if method == "POST" else ""
    expected = f"{method} {path} https://example.org {body}"
    assert emulator.send(method, path, headers, body) == (200, "forum", expected)


def test_signed_request_for_localhost_reaches_the_forum_alone(emulator: Emulator) -> None:
    status, source, _ = emulator.send("GET", LIST, SIGNED | {"Host": "localhost"})
    assert (status, source) == (200, "forum")


def test_aws_clients_and_the_readiness_check_are_served(emulator: Emulator) -> None:
    url = emulator.client("sqs").create_queue(QueueName="kept")["QueueUrl"]
    emulator.send("POST", "/_ministack/reset", {"Host": FORUM})
    assert emulator.client("sqs").list_queues()["QueueUrls"] == [url]
    assert emulator.send("GET", "/_ministack/ready", {})[0] == 200
    # What the refused requests lack, one at a time: this one has all of it.
    assert emulator.send("GET", LIST, SIGNED)[0] == 200
    # A task knows the emulator by its address.
    address = socket.gethostbyname(socket.gethostname())
    assert emulator.send("GET", LIST, SIGNED | {"Host": f"{address}:4566"})[0] == 200


@pytest.mark.parametrize(
    "service",
    [
        *("lambda", "codebuild", "eks", "ec2", "cloudcontrol", "events", "scheduler"),
        *("elasticache", "airflow", "batch", "glue", "es"),
    ],
)
def test_service_that_may_run_code_is_not_offered(emulator: Emulator, service: str) -> None:
    headers = {"Authorization": SIGNED["Authorization"].replace("/sqs/", f"/{service}/")}
    status, _, body = emulator.send("POST", "/", headers)
    assert (status, "Unsupported service" in body) == (400, True)


def test_emulator_offers_what_the_templates_have() -> None:
    used = {
        resource["Type"]
        for context in (
            {},
            {"environment": "production"},
            {"extracted": "", "moving": "users", "mover": "state-machine"},
            *({"strategy": strategy} for strategy in STRATEGIES),
        )
        for template in templates(**context).stacks.values()
        for resource in remove_unsupported(template)[0]["Resources"].values()
    }
    assert used == RESOURCE_TYPES


def test_privileged_task_definition_is_rejected(emulator: Emulator) -> None:
    ecs = emulator.client("ecs")
    allowed = {"name": "modest", "image": "modest"}
    common = {
        "family": "task",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
    }
    with pytest.raises(ClientError, match=r"ClientException.*do not support privileged"):
        ecs.register_task_definition(**common, containerDefinitions=[PRIVILEGED])
    ecs.register_task_definition(**common, containerDefinitions=[allowed])
    assert len(ecs.list_task_definitions()["taskDefinitionArns"]) == 1


def test_old_path_of_ecs_rejects_it_too(emulator: Emulator) -> None:
    """MiniStack also reads paths, as ECS itself never did."""
    body = json.dumps({"family": "greedy", "containerDefinitions": [PRIVILEGED]})
    headers = {"Authorization": SIGNED["Authorization"].replace("/sqs/", "/ecs/")}
    status, _, text = emulator.send("POST", "/taskdefinitions", headers, body)
    assert (status, "ClientException" in text) == (400, True)


@pytest.mark.parametrize(
    ("kind", "properties", "message"),
    [
        (
            "AWS::ECS::TaskDefinition",
            {
                "NetworkMode": "awsvpc",
                "Volumes": [{"Name": "root", "Host": {"SourcePath": "/"}}],
                "ContainerDefinitions": [{"Name": "greedy", "Image": "greedy"}],
            },
            "sourcePath",
        ),
        ("AWS::Lambda::Function", {"Code": {"ZipFile": "x"}, "Role": "r"}, "Unrecognized"),
        ("AWS::EC2::Instance", {"ImageId": "ami-1"}, "Unrecognized"),
    ],
)
def test_template_with_rights_on_the_machine_fails(
    emulator: Emulator, kind: str, properties: dict[str, Any], message: str
) -> None:
    assert message in create_stack(emulator, kind, properties)


def test_updated_template_with_such_rights_fails(emulator: Emulator) -> None:
    modest = {"Name": "modest", "Image": "modest"}
    properties = {"NetworkMode": "awsvpc", "ContainerDefinitions": [modest]}
    assert create_stack(emulator, "AWS::ECS::TaskDefinition", properties) == ""
    properties["ContainerDefinitions"] = [modest | {"Privileged": True}]
    failed = create_stack(emulator, "AWS::ECS::TaskDefinition", properties, update=True)
    assert "do not support privileged" in failed


def create_stack(
    emulator: Emulator, kind: str, properties: dict[str, Any], *, update: bool = False
) -> str:
    """Create or update a stack of one resource; return why it failed, or an empty text."""
    formation = emulator.client("cloudformation")
    name = re.sub(r"\W", "", kind)
    body = json.dumps({"Resources": {"It": {"Type": kind, "Properties": properties}}})
    act = formation.update_stack if update else formation.create_stack
    try:
        act(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    except ClientError as error:
        return str(error)
    while (status := stack_status(formation, name)).endswith("_IN_PROGRESS"):
        time.sleep(0.05)
    if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        return ""
    events = formation.describe_stack_events(StackName=name)["StackEvents"]
    return "\n".join(event.get("ResourceStatusReason", "") for event in events)


def stack_status(formation: Any, name: str) -> str:
    return str(formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
