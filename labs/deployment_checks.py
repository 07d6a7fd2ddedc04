"""Checks of deployments, by the id of the step that they belong to.

They ask what people deployed, wherever they did it, so they need no workspace.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from infra.stages import DOMAINS, MONOLITH
from labs.outcome import fail

if TYPE_CHECKING:
    from labs.deployment_probe import DeploymentProbe

AWS, LOCAL = "aws", "local"
PLACES = (AWS, LOCAL)
PAGE = "docs/deploy.md"


def check_services(probe: "DeploymentProbe") -> None:
    """Check that each service runs all its tasks, its targets are healthy, and it responds."""
    services = probe.services()
    if MONOLITH not in services:
        fail(
            "no-service",
            asked="the ECS services of the cluster",
            got=", ".join(sorted(services)) or "none",
            expected=f"one that is named {MONOLITH}, and its siblings",
            why="ECS keeps the wanted number of tasks only for a service.",
            page=PAGE,
        )
    for name, service in sorted(services.items()):
        if service["runningCount"] == service["desiredCount"] > 0:
            continue
        events = service.get("events") or [{"message": "no event"}]
        fail(
            "not-running",
            asked=f"the tasks of the service {name}",
            got=f"{service['runningCount']} of {service['desiredCount']}: {events[0]['message']}",
            expected="all of them",
            why="The newest event of a service says what its tasks lack; its logs say the rest.",
            page=PAGE,
        )
    _check_targets(probe)
    status, component = probe.get("/readyz")
    if status != 200:
        fail(
            "not-ready",
            asked=f"GET {probe.address}/readyz",
            got=f"{status} from {component or 'the load balancer'}",
            expected="200",
            why="Tasks may be healthy for ECS and still be out of reach of a browser.",
            page=PAGE,
        )


def _check_targets(probe: "DeploymentProbe") -> None:
    for group, states in probe.targets().items():
        # Of two groups of a service, the one that receives nothing has no target.
        if states and "healthy" not in states:
            fail(
                "unhealthy",
                asked=f"the targets of the group {group}",
                got=", ".join(states),
                expected="healthy",
                why="The load balancer sends requests only to targets that pass its own check.",
                page=PAGE,
            )


def _components_of(services: Mapping[str, object]) -> list[str]:
    """Return the components among the names of services, without workers."""
    return sorted(
        (name for name in services if not name.endswith("-worker")),
        key=lambda name: (name != MONOLITH, name),
    )


def check_routes(probe: "DeploymentProbe") -> None:
    """Check that each component gets its paths, and no path beside them."""
    components = _components_of(probe.services())
    for domain in DOMAINS:
        owner = domain if domain in components else MONOLITH
        for path, expected in ((f"/api/{domain}", owner), (f"/api/{domain}cript", MONOLITH)):
            _, component = probe.get(path)
            if component != expected:
                fail(
                    "wrong-component",
                    asked=f"GET {path}",
                    got=component or "no component",
                    expected=expected,
                    why="A rule matches a path and everything below it, and nothing beside it.",
                    page="docs/adr/0002-routes.md",
                )


CHECKS: dict[str, Callable[["DeploymentProbe"], None]] = {
    "3.3": check_services,
    "5.3": check_routes,
}
