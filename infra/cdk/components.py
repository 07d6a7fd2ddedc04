"""The components as the cloud runs them: programs, settings, sizes. Nothing here needs the CDK."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra import stages
from infra.cdk.options import DeploymentOptions
from infra.domains import package, peers

PORT = 8080
READY = "/readyz"
DOMAIN = "forum.local"
SHELL = ("CMD", "python", "-S", "-m", "chassis.healthcheck")
# The only place that a container with a read-only file system can write to.
HEARTBEAT_FILE = "/dev/shm/heartbeat"  # noqa: S108 - memory of the container's own

# After SIGTERM a task answers for so long: as long as others may remember its address.
DNS_SECONDS = 5
DRAIN_SECONDS = 5
# Draining, gunicorn's 8 seconds for what is left then, and some more.
STOP_SECONDS = 30
# Before that, the load balancer lets requests end; none takes longer.
DEREGISTRATION_SECONDS = 15

DATABASE = "forum"


@dataclass(frozen=True, kw_only=True)
class TaskSize:
    """CPU units (1024 are one processor), MiB, and between how many tasks it may scale."""

    cpu: int
    memory: int
    min_tasks: int
    max_tasks: int


LAB_WEB, LAB_WORKER = (
    TaskSize(cpu=256, memory=512, min_tasks=1, max_tasks=2),
    TaskSize(cpu=256, memory=512, min_tasks=1, max_tasks=1),
)
PRODUCTION_WEB = {
    stages.MONOLITH: TaskSize(cpu=1024, memory=2048, min_tasks=2, max_tasks=8),
    "users": TaskSize(cpu=512, memory=1024, min_tasks=2, max_tasks=8),  # hashes passwords
    "threads": TaskSize(cpu=512, memory=1024, min_tasks=2, max_tasks=8),
    "posts": TaskSize(cpu=512, memory=1024, min_tasks=2, max_tasks=8),
}
PRODUCTION_WORKER = TaskSize(cpu=256, memory=512, min_tasks=1, max_tasks=4)


def size(options: DeploymentOptions, component: str) -> TaskSize:
    """Return how large a component's tasks are."""
    return PRODUCTION_WEB[component] if options.production else LAB_WEB


def worker_size(options: DeploymentOptions) -> TaskSize:
    """Return how large a worker's tasks are."""
    return PRODUCTION_WORKER if options.production else LAB_WORKER


def dockerfile(component: str) -> str:
    """Return the path of a component's Dockerfile in the repository."""
    return "monolith/Dockerfile" if component == stages.MONOLITH else "services/Dockerfile"


def build_arguments(component: str) -> dict[str, str]:
    """Return the arguments of a component's Dockerfile."""
    return {} if component == stages.MONOLITH else {"SERVICE": component}


def address(component: str) -> str:
    """Return the address at which others find a component."""
    return f"http://{component}.{DOMAIN}:{PORT}"


def worker_command(component: str) -> tuple[str, ...]:
    """Return the command of a component's worker."""
    return ("python", "-m", package(component), "worker")


def migrate_command() -> tuple[str, ...]:
    """Return the command that brings the monolith's schema up to date."""
    return ("python", "-m", package(stages.MONOLITH), "migrate")


def has_worker(options: DeploymentOptions) -> bool:
    """Return whether there is anything to tell each other at this stage."""
    return bool(options.extracted)


def signs_sessions(options: DeploymentOptions, component: str) -> bool:
    """Return whether a component signs sessions, which who owns the users does."""
    return component == options.owner("users")


def settings(options: DeploymentOptions, component: str, revision: str) -> dict[str, str]:
    """Return the settings that follow from the stage; what AWS names itself is added elsewhere."""
    told = {
        "REVISION": revision,
        "PORT": str(PORT),
        "DRAIN_SECONDS": str(DRAIN_SECONDS),
        "WEB_CONCURRENCY": str(max(1, 2 * size(options, component).cpu // 1024)),
    }
    called = peers(component)
    if component == stages.MONOLITH:
        told["EXTRACTED"] = stages.as_setting(options.extracted)
        called = stages.in_canonical_order(options.extracted)
    else:
        told["TABLE_PREFIX"] = options.prefix
    if component == "users":
        told["REPLICA_HOLDERS"] = ",".join(each for each in options.components if each != component)
    return told | {f"{peer.upper()}_URL": address(options.owner(peer)) for peer in called}


def with_heartbeat(told: Mapping[str, str]) -> dict[str, str]:
    """Add what only a worker is told."""
    return {**told, "HEARTBEAT_FILE": HEARTBEAT_FILE}
