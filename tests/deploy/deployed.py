"""Stages of the forum from the CDK templates, for suites that otherwise use the launcher."""

import json
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from infra.cdk import components
from infra.cdk import names as cloud_names
from infra.cdk.constructs.postgres import OWNER
from infra.cdk.options import TASK, DeploymentOptions
from infra.cdk.synth import synthesise
from infra.domains import package
from infra.local_cloud import containers
from infra.local_cloud.deploy import deploy, validating
from infra.local_cloud.destroy import destroy
from infra.local_cloud.stacks import Stacks
from infra.local_cloud.target import DATABASE, DeploymentTarget, docker
from infra.local_cloud.template_filter import remove_unsupported
from infra.runner.config import PORTS, RunConfig
from infra.runner.free_port import free_port
from tests.deploy.keys import copy_keys

LEAVING_SECONDS = 60


class Deployed:
    """A stage deployed at its own emulator, on a free port, with its own data.

    It has the methods of `RunnerStack` that suites need. Leaving the block destroys the deployment,
    and asserts that nothing remains.
    """

    def __init__(
        self,
        extracted: frozenset[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
        *,
        moving: frozenset[str] = frozenset(),
        mover: str = TASK,
    ) -> None:
        """Create a stage; `environment` is added to the components' environment in the template."""
        ports = dict.fromkeys(PORTS, 0)
        self.config = RunConfig(extracted, ports, directory, demo=False, restart=True)
        self.place = DeploymentTarget(f"forum-test-{secrets.token_hex(4)}", free_port())
        self.options = DeploymentOptions(extracted=extracted, moving=moving, mover=mover)
        self.printed: list[str] = []
        self.base_url = ""
        self._environment = dict(environment or {})

    @property
    def urls(self) -> Mapping[str, str]:
        """Each component's own address, past the load balancer."""
        return {name: self._address(name) for name in self.config.components}

    def deploy(self, **changes: object) -> None:
        """Update the deployment with new options, such as another stage or revision."""
        self.options = replace(self.options, **changes)  # type: ignore[arg-type]
        self.config = replace(self.config, extracted=self.options.extracted)
        self.base_url = deploy(
            self.place, self.options, say=self.printed.append, environment=self._environment
        )

    def deploy_alone(self, component: str, **changes: object) -> None:
        """Update the stack of one component, as `cdk deploy forum-<component>` does."""
        self.options = replace(self.options, **changes)  # type: ignore[arg-type]
        name = cloud_names.stack(self.options, component)
        with tempfile.TemporaryDirectory() as folder:
            made = synthesise(self.options, Path(folder)).get_stack_by_name(name)
            template, _ = remove_unsupported(made.template)
        with validating(self.place, self.options, self.printed.append):
            assert Stacks(self.place).deploy(name, template), "the template is what it was"

    def start(self) -> "Deployed":
        """Deploy it for the first time."""
        try:
            self.deploy()
            copy_keys(self.place.client("secretsmanager"), self.options, self.config)
        except BaseException:
            self._remember()
            containers.remove_all(self.place)
            raise
        return self

    def stop(self) -> None:
        """Destroy it, and assert that nothing remains."""
        remaining = destroy(self.place, self.options, say=self.printed.append)
        assert not remaining, f"still there: {remaining}"

    def tasks(self, program: str) -> list[str]:
        """Return the containers that run a program."""
        mine = f"label=ministack.instance={self.place.project}:4566"
        label = f"label=com.amazonaws.ecs.container-name={program}"
        listed = ("ps", "--filter", mine, "--filter", label, "--format", "{{.Names}}")
        return docker(*listed).split()

    def alone(self, program: str) -> str:
        """Wait until exactly one task runs a program, and return its container."""
        deadline = time.monotonic() + LEAVING_SECONDS
        while len(found := self.tasks(program)) != 1:
            assert time.monotonic() < deadline, f"{program}: {found}"
            time.sleep(0.2)
        return found[0]

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query in the monolith's database, as its owner."""
        secret = self.place.client("secretsmanager").get_secret_value(
            SecretId=cloud_names.database_secret(self.options)
        )
        address = self._network_address(self.place.container(DATABASE))
        with psycopg.connect(
            host=address,
            dbname=components.DATABASE,
            user=OWNER,
            password=json.loads(secret["SecretString"])["password"],
        ) as connection:
            return connection.execute(statement.encode()).fetchall()

    def dynamodb(self) -> Any:
        """Return a client of the services' tables."""
        return self.place.client("dynamodb")

    def moderator(self, username: str) -> None:
        """Make a user a moderator."""
        owner = self.config.owner("users")
        command = ("python", "-m", package(owner), "moderator", username)
        docker("exec", self.tasks(owner)[0], *command)

    def image(self, component: str) -> str:
        """Return the image of a component's tasks."""
        return docker("inspect", "--format", "{{.Config.Image}}", self.tasks(component)[0]).strip()

    @contextmanager
    def changed_image(
        self, component: str, change: str, *files: tuple[Path, str]
    ) -> Iterator[None]:
        """Deploy another image until the end of the block: a Dockerfile's instruction, and files.

        The templates name an image by the hash of its sources, so they stay as they are.
        """
        image = self.image(component)
        whole = docker("image", "inspect", "--format", "{{.Id}}", image).strip()
        container = docker("create", image).strip()
        try:
            for file, place in files:
                docker("cp", str(file), f"{container}:{place}")
            docker("commit", "--change", change, container, image)
            yield
        finally:
            docker("tag", whole, image)
            docker("rm", container)

    def log(self, program: str) -> str:
        """Return the log of a program's task."""
        return "".join(docker("logs", task) for task in self.tasks(program))

    def output_text(self) -> str:
        """Return the deployment's output."""
        return "\n".join(self.printed)

    def _address(self, program: str) -> str:
        return f"http://{self._network_address(self.tasks(program)[0])}:{components.PORT}"

    def _network_address(self, container: str) -> str:
        (inspected,) = json.loads(docker("inspect", container))
        networks = inspected["NetworkSettings"]["Networks"]
        return str(networks[self.place.network]["IPAddress"])

    def _remember(self) -> None:
        sys.stderr.write(f"{self.output_text()}\n{containers.tail_log(self.place, 'emulator')}\n")

    def __enter__(self) -> "Deployed":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._remember()
        self.stop()
