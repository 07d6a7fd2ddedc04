"""The offline deployments on this machine: who owns each domain, and how many tasks run."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from infra.listener_rules import owners
from infra.local_cloud.target import (
    EMULATOR,
    FOLDER_LABEL,
    LABEL,
    DeploymentTarget,
    EngineError,
    docker,
)

_LISTED = f'{{{{.Label "{LABEL}"}}}} {{{{.Ports}}}}'
_PUBLISHED = re.compile(r"(\S+) \S*:(\d+)->")


def running_deployments(folder: Path | None = None) -> list[DeploymentTarget]:
    """Return the deployments whose emulator runs, of a folder or all; none without an engine."""
    label = LABEL if folder is None else f"{FOLDER_LABEL}={folder}"
    mine = ("--filter", f"label={label}", "--filter", f"name=-{EMULATOR}$")
    try:
        listed = docker("ps", *mine, "--format", _LISTED)
    except EngineError:
        return []
    found = _PUBLISHED.findall(listed)
    return sorted((DeploymentTarget(name, int(port)) for name, port in found), key=repr)


def describe(place: DeploymentTarget) -> Iterator[str]:
    """Yield the lines that describe a deployment."""
    yield f"{place.project} (make deploy-local) at {place.address}"
    try:
        yield from _describe_services(place)
    except (BotoCoreError, ClientError):
        yield "the emulator is unreachable"


def _describe_services(place: DeploymentTarget) -> Iterator[str]:
    ecs = place.client("ecs")
    for cluster in ecs.list_clusters()["clusterArns"]:
        arns = ecs.list_services(cluster=cluster)["serviceArns"]
        found = ecs.describe_services(cluster=cluster, services=arns)["services"] if arns else []
        services = {str(each["serviceName"]): each for each in found}
        for domain, owner in _owners(place).items():
            yield f"{domain:8} owned by {owner}"
        for name, service in sorted(services.items()):
            running, desired = service["runningCount"], service["desiredCount"]
            yield f"{name:16} {running} of {desired} tasks run"


def _owners(place: DeploymentTarget) -> Mapping[str, str]:
    """Return the component to which the load balancer routes each domain."""
    balancer = place.client("elbv2")
    (known,) = balancer.describe_load_balancers()["LoadBalancers"]
    listeners = balancer.describe_listeners(LoadBalancerArn=known["LoadBalancerArn"])["Listeners"]
    (listener,) = listeners
    return owners(balancer, listener["ListenerArn"], known["LoadBalancerName"])
