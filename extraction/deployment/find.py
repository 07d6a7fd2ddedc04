"""The forum that a command is about: of `make run`, or in containers."""

import os

from extraction.deployment import compose, compose_project
from extraction.deployment.compose import ComposeDeployment
from extraction.deployment.compose_project import ComposeProject
from extraction.deployment.local import LocalDeployment
from extraction.deployment.port import Deployment, DeploymentError
from infra.local_cloud.status import running_deployments
from infra.runner.config import ROOT, var_folder
from infra.runner.lock import Lock


def find_deployment() -> Deployment | ComposeProject:
    """Find the forum of `make run` or the one in containers; DEPLOYMENT selects one of both.

    Raises:
        DeploymentError: none runs from this folder.
    """
    if compose.is_inside_container():
        return ComposeDeployment()
    wanted = os.environ.get("DEPLOYMENT")
    if wanted not in {None, "", "local", "compose"}:
        msg = f"DEPLOYMENT must be local or compose, not {wanted!r}."
        raise DeploymentError(msg)
    if wanted == "local" or (wanted != "compose" and Lock(var_folder(os.environ)).holder()):
        return LocalDeployment(os.environ)
    if found := compose_project.find_project(os.environ):
        return found
    containers = "`EXTRACTED= docker compose up`"
    if wanted == "compose":
        msg = f"No forum is running in containers from this folder; start one with {containers}."
    else:
        msg = (
            "No forum is running from this folder; start one with `make run EXTRACTED=` or"
            f" {containers}."
        )
    if offline := running_deployments(ROOT):
        msg += (
            f" The forum at {offline[0].address} is of `make deploy-local`, which moves no data:"
            " deploy it with another EXTRACTED."
        )
    raise DeploymentError(msg)
