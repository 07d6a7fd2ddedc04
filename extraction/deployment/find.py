"""The forum that a command is about: of `make run`, in containers, or on ECS."""

import os
from collections.abc import Mapping

from extraction.deployment import compose, compose_project
from extraction.deployment.compose import ComposeDeployment
from extraction.deployment.compose_project import ComposeProject
from extraction.deployment.ecs import EcsDeployment
from extraction.deployment.local import LocalDeployment
from extraction.deployment.port import Deployment, DeploymentError
from infra.local_cloud.status import running_deployments
from infra.runner.config import ROOT, var_folder
from infra.runner.lock import Lock

LOCAL, COMPOSE, DEPLOY_LOCAL, ECS = "local", "compose", "deploy-local", "ecs"
PLACES = (LOCAL, COMPOSE, DEPLOY_LOCAL, ECS)


def is_inside_task() -> bool:
    """Return whether this is the mover's task on ECS."""
    return os.environ.get("MOVER") == ECS


def read_place(environ: Mapping[str, str]) -> str:
    """Read PLACE; empty if it is to be found.

    Raises:
        DeploymentError: its value is unknown.
    """
    wanted = environ.get("PLACE", "")
    if wanted and wanted not in PLACES:
        msg = f"PLACE must be one of {', '.join(PLACES)}, not {wanted!r}."
        raise DeploymentError(msg)
    return wanted


def find_deployment() -> Deployment | ComposeProject:
    """Find the forum of `make run` or the one in containers; PLACE selects one of both.

    Raises:
        DeploymentError: none runs from this folder.
    """
    if is_inside_task():
        return EcsDeployment()
    if compose.is_inside_container():
        return ComposeDeployment()
    wanted = read_place(os.environ)
    if wanted == LOCAL or (wanted != COMPOSE and Lock(var_folder(os.environ)).holder()):
        return LocalDeployment(os.environ)
    if found := compose_project.find_project(os.environ):
        return found
    containers = "`EXTRACTED= docker compose up`"
    if wanted == COMPOSE:
        msg = f"No forum is running in containers from this folder; start one with {containers}."
    else:
        msg = (
            "No forum is running from this folder; start one with `make run EXTRACTED=` or"
            f" {containers}."
        )
    if offline := running_deployments(ROOT):
        msg += (
            f" For the forum of `make deploy-local` at {offline[0].address}, set"
            " PLACE=deploy-local."
        )
    raise DeploymentError(msg)
