"""The status of each domain: its owner, who serves it, and the progress of a move."""

from collections.abc import Mapping
from typing import Any

from extraction.console import Console
from extraction.deployment.port import Deployment
from extraction.extraction import REPLICA_OF
from forum.ownership.transitions import DomainStatus
from infra import stages
from infra.local_cloud.status import describe, running_deployments
from infra.runner.config import ROOT


def show_status(deployment: Deployment, console: Console) -> None:
    """Print a line for each domain."""
    statuses = deployment.endpoints.transitions.load_all()
    served_by = deployment.served_by(frozenset(stages.DOMAINS))
    for domain in stages.DOMAINS:
        status = statuses.get(domain)
        default = domain if domain in deployment.extracted else stages.MONOLITH
        owner = status.owner if status else default
        line = f"{domain:8} owned by {owner}, {_serving(served_by[domain])}"
        if status and status.state != "settled":
            line += f"; {_progress(deployment, status)}"
        console.say(line)


def _serving(component: str) -> str:
    # A gateway that responds itself has not reached the owner.
    reached = component == stages.MONOLITH or component in stages.DOMAINS
    return f"served by {component}" if reached else "unreachable"


def show_offline_deployments(console: Console) -> int:
    """Print the status of this folder's deployments of `make deploy-local`; return their number."""
    found = running_deployments(ROOT)
    for place in found:
        for line in describe(place):
            console.say(line)
    return len(found)


def _progress(deployment: Deployment, status: DomainStatus) -> str:
    """Describe a move: `extract: catch-up, 498 of 512 copied, replicas ready, service closed`."""
    endpoints, domain = deployment.endpoints, status.domain
    total = endpoints.monolith_records[domain].totals()[0]
    copied = status.progress.get("copied", {}).get(domain, 0)
    parts = [status.phase or "prepare", f"{copied} of {total} copied"]
    if pages := _replica_pages(status.progress):
        ready = all(after is None for after in pages.values())
        parts.append("replicas ready" if ready else "replicas not ready yet")
    parts.append(f"service {endpoints.ownership(domain).load().state.name.lower()}")
    return f"{status.progress.get('direction', 'move')}: {', '.join(parts)}"


def _replica_pages(progress: Mapping[str, Any]) -> dict[str, str | None]:
    pages = progress.get("after", {})
    return {name: after for name, after in pages.items() if name.startswith(REPLICA_OF)}
