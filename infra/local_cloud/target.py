"""The target of an offline deployment: its name, port, containers and networks."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from infra.local_cloud.emulated import ACCESS_KEY
from infra.local_environment import caller_environment
from infra.ministack import ACCOUNT, REGION
from infra.runner.config import HOST, ROOT

EMULATOR, DATABASE = "emulator", "database"
EMULATOR_IMAGE = "forum-emulator"
POSTGRES_IMAGE = "postgres:17"
EMULATOR_PORT = 4566
LABEL, FOLDER_LABEL = "forum.project", "forum.folder"
_PROJECT = re.compile(r"[a-z][a-z0-9-]{0,30}")


class EngineError(Exception):
    """A command of the container engine failed, or there is no engine."""


@dataclass(frozen=True)
class DeploymentTarget:
    """One offline deployment on this machine; several can coexist."""

    project: str = "forum-local"
    port: int = 8080

    @property
    def network(self) -> str:
        """The network of the VPC."""
        return self.project

    @property
    def names(self) -> str:
        """The network on which tasks find each other by name."""
        return f"{self.project}-names"

    @property
    def authority(self) -> str:
        """The volume with the certificate of the authority that signs the database's."""
        return f"{self.project}-authority"

    @property
    def endpoint(self) -> str:
        """The emulator's AWS endpoint."""
        return f"http://{HOST}:{self.port}"

    def container(self, part: str) -> str:
        """Return the name of an infrastructure container."""
        return f"{self.project}-{part}"

    @property
    def address(self) -> str:
        """The forum's address: by this host, the emulator selects its only load balancer."""
        return f"http://localhost:{self.port}"

    def client(self, service: str) -> Any:
        """Build a client of an AWS service at the emulator, with dummy credentials."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key="local",  # noqa: S106
            # Cloud Map's client would prefix the host with `data-`.
            config=Config(inject_host_prefix=False, retries={"total_max_attempts": 3}),
        )


def read_target(environ: Mapping[str, str]) -> DeploymentTarget:
    """Read PROJECT and PORT; raise a ValueError that describes the problem."""
    project = environ.get("PROJECT") or DeploymentTarget.project
    port = environ.get("PORT") or str(DeploymentTarget.port)
    if not _PROJECT.fullmatch(project):
        msg = f"PROJECT must be a short name of a-z, 0-9 and -, not {project!r}"
        raise ValueError(msg)
    if not port.isdecimal() or not 0 < int(port) < 2**16:
        msg = f"PORT must be a port from 1 to 65535, not {port!r}"
        raise ValueError(msg)
    return DeploymentTarget(project, int(port))


def docker(*arguments: str, secrets: Mapping[str, str] | None = None) -> str:
    """Run docker and return its output; `secrets` are passed by its environment only.

    Raises:
        EngineError: it failed.
    """
    environment = {**caller_environment(), **(secrets or {})}
    try:
        done = subprocess.run(  # noqa: S603
            ["docker", *arguments],  # noqa: S607
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        msg = f"docker is not available: {error}"
        raise EngineError(msg) from error
    if done.returncode:
        msg = f"docker {' '.join(arguments[:2])} failed:\n{done.stderr.strip()[-4000:]}"
        raise EngineError(msg)
    return done.stdout


def registry() -> str:
    """Return the registry of images in the emulator's account."""
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
