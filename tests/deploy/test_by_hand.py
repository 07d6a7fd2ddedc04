"""The commands of docs/by-hand.md deploy a service on the emulator, and remove it again."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.cdk import names
from infra.cdk.app import DATA, EDGE, NETWORK
from infra.cdk.options import DeploymentOptions
from infra.cdk.synth import synthesise
from infra.gateway.routes import load
from infra.local_cloud import containers, images
from infra.local_cloud.emulated import ACCESS_KEY
from infra.local_cloud.target import DeploymentTarget, docker
from infra.local_cloud.template_filter import remove_unsupported
from infra.ministack import ACCOUNT, REGION
from infra.runner.config import ROOT
from infra.runner.free_port import free_port
from tests.support.waits import wait_until

PAGE = (ROOT / "docs/by-hand.md").read_text(encoding="utf-8")
SERVICE = "users"
ROLE, TASKS = "LabRole", "ecs-tasks.amazonaws.com"
OPTIONS = DeploymentOptions(extracted=frozenset({SERVICE}), role=ROLE)
TOOLS = Path(sys.prefix) / "cloud-tools" / "bin"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
# Of ECR, in the first step.
ECR = "REGISTRY=$ACCOUNT.dkr.ecr.$AWS_DEFAULT_REGION.amazonaws.com\n"
REGISTRY = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
# The CLI waits 15 s after each look, however fast the emulator is.
SECONDS = 300
ACTIONS = {"elbv2": "elasticloadbalancing"}
WAITS = {
    "services-stable": "DescribeServices",
    "services-inactive": "DescribeServices",
    "stack-delete-complete": "DescribeStacks",
}


def commands(step: int) -> str:
    """Return the commands of a step."""
    (text,) = re.findall(rf"^## {step}\. .*?(?=^## )", PAGE, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    return "".join(blocks)


class Shell:
    """A reader's shell: its variables and functions live from step to step."""

    def __init__(self, folder: Path, place: DeploymentTarget, registry: str) -> None:
        self.folder, self._registry = folder, registry
        self._environment = {
            "PATH": f"{TOOLS}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL": place.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            # The course gives these.
            "ACCOUNT": ACCOUNT,
            "ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
        }

    def run(self, *steps: int) -> None:
        """Run the commands of steps in one shell; fail at the first command that fails."""
        script = "".join(f"echo step {step} >&2\n{self._commands(step)}" for step in steps)
        state = self.folder / "state"
        before = f"source {state} 2>/dev/null\n" if state.exists() else ""
        done = subprocess.run(
            ["bash", "-c", f"{before}set -euo pipefail\n{script}declare -p > {state}\n"],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"

    def _commands(self, step: int) -> str:
        """Return the commands of a step; an image is built from the repository's folder."""
        if step > 1:
            return commands(step)
        assert ECR in commands(1)
        here = commands(1).replace(ECR, f"REGISTRY={self._registry}\n")
        return f"cd {ROOT}\n{here}cd {self.folder}\n"


@pytest.fixture(scope="module")
def place() -> Iterator[DeploymentTarget]:
    """Start an emulator without any stack."""
    made = DeploymentTarget(f"forum-test-{secrets.token_hex(4)}", free_port())
    images.build_emulator()
    containers.start_emulator(made, {})
    create_role(made)
    yield made
    containers.remove_all(made)


def create_role(place: DeploymentTarget) -> None:
    """Create the role that a course provides, whose tasks may use these services as a whole."""
    services = ("dynamodb", "logs", "secretsmanager", "sns", "sqs")
    allowed = {"Effect": "Allow", "Action": [f"{one}:*" for one in services], "Resource": "*"}
    trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": TASKS}}
    role = {"RoleName": ROLE}
    client = place.client("iam")
    client.create_role(**role, AssumeRolePolicyDocument=json.dumps({"Statement": [trusted]}))
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    client.put_role_policy(**role, PolicyName="services", PolicyDocument=policy)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a registry of images on this machine; the engine asks a loopback address without TLS."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("a registry of images is missing: apt install docker-registry")
    folder, port = tmp_path_factory.mktemp("registry"), free_port()
    file = folder / "config.yml"
    file.write_text(REGISTRY.format(folder=folder / "images", port=port), encoding="utf-8")
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([program, "serve", str(file)], stdout=log, stderr=log)
    address = f"127.0.0.1:{port}"
    try:
        wait_until(lambda: responds(f"http://{address}/v2/"), 30)
        yield address
    finally:
        running.terminate()
        running.wait()


def responds(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def shell(
    place: DeploymentTarget, registry: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shell]:
    """Prepare what `make synth` makes, and remove the image that the first step builds."""
    folder = tmp_path_factory.mktemp("by-hand")
    assembly = folder / "assembly"
    made = synthesise(OPTIONS, assembly)
    (folder / "cdk.out").mkdir()
    for stack in made.stacks:
        template, _ = remove_unsupported(stack.template)
        file = folder / "cdk.out" / f"{stack.stack_name}.template.json"
        file.write_text(json.dumps(template), encoding="utf-8")
    (folder / ".venv").symlink_to(sys.prefix)
    # Docker's own commands, as the reader has them; the password of the registry stays here.
    (folder / ".docker").mkdir()
    (folder / ".docker/cli-plugins").symlink_to(Path.home() / ".docker/cli-plugins")
    yield Shell(folder, place, registry)
    image = f"{registry}/forum-{SERVICE}:1"
    if images.exists(image):
        docker("image", "rm", image)


def test_commands_deploy_a_service_and_remove_it(
    place: DeploymentTarget, registry: str, shell: Shell
) -> None:
    shell.run(1)
    manifest = f"http://{registry}/v2/forum-{SERVICE}/manifests/1"
    assert requests.get(manifest, headers={"Accept": MANIFEST}, timeout=30).ok
    shell.run(2, 3, 4, 5, 6, 7)
    answer = requests.get(f"{place.address}/api/users/jwks.json", timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Served-By"] == "users/by-hand"
    compare_with_the_template(place, shell)
    shell.run(8)
    assert not place.client("ecs").list_services(cluster=OPTIONS.name)["serviceArns"]
    assert not place.client("cloudformation").describe_stacks()["Stacks"]
    assert not place.client("ecr").describe_repositories()["repositories"]


def compare_with_the_template(place: DeploymentTarget, shell: Shell) -> None:
    """Compare the task definition by hand with that of the CDK."""
    live = place.client("ecs").describe_task_definition(taskDefinition=f"forum-{SERVICE}")
    task, [container] = live["taskDefinition"], live["taskDefinition"]["containerDefinitions"]
    template = read_template(shell, SERVICE)
    (made,) = [
        camel_case(each["Properties"])
        for each in template["Resources"].values()
        if each["Type"] == "AWS::ECS::TaskDefinition"
        and each["Properties"]["Family"] == task["family"]
    ]
    (own,) = made["containerDefinitions"]
    assert (task["cpu"], task["memory"]) == (made["cpu"], made["memory"])
    for name in ("user", "readonlyRootFilesystem", "stopTimeout", "healthCheck", "linuxParameters"):
        assert container[name] == own[name], name
    assert container["logConfiguration"]["options"].keys() == {
        name[0].lower() + name[1:] for name in own["logConfiguration"]["options"]
    }
    live_values = {each["name"]: each["value"] for each in container["environment"]}
    own_values = {each["name"]: each["value"] for each in own["environment"]}
    assert live_values.keys() == own_values.keys()
    for name, value in own_values.items():
        # The others are references to the region and the account.
        if isinstance(value, str) and name != "REVISION":
            assert live_values[name] == value, name
    assert {each["name"] for each in container["secrets"]} == {
        each["name"] for each in own["secrets"]
    }


def read_template(shell: Shell, what: str) -> dict[str, Any]:
    file = shell.folder / "assembly" / f"{names.stack(OPTIONS, what)}.template.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def camel_case(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: camel_case(each) for name, each in value.items()}
    return [camel_case(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("what", [NETWORK, DATA, EDGE])
def test_stack_of_the_page_needs_neither_assets_nor_roles(shell: Shell, what: str) -> None:
    manifest = shell.folder / "assembly" / f"{names.stack(OPTIONS, what)}.assets.json"
    described = json.loads(manifest.read_text(encoding="utf-8"))
    assert not described.get("dockerImages")
    assert len(described["files"]) == 1, "only the template itself"
    kinds = {each["Type"] for each in read_template(shell, what)["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith("AWS::IAM::")}


def test_rule_is_that_of_the_routing_table() -> None:
    (route,) = [each for each in load().routes if each.component == SERVICE]
    assert f"Values={route.prefix},{route.prefix}/*" in commands(7)


def test_permissions_name_every_operation() -> None:
    listed = PAGE.partition("**By hand.**")[2]
    called = re.findall(r"\baws ([a-z0-9]+) (wait )?([a-z-]+)", PAGE.partition("## Permissions")[0])
    assert len(called) > 20
    for service, waits, name in called:
        action = WAITS[name] if waits else "".join(part.capitalize() for part in name.split("-"))
        if (service, name) == ("cloudformation", "deploy"):
            action = "ExecuteChangeSet"
        elif (service, name) == ("ecr", "get-login-password"):
            action = "GetAuthorizationToken"
        assert f"{ACTIONS.get(service, service)}:{action}" in listed, name
