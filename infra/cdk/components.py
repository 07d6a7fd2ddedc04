"""The components as the cloud runs them: programs, settings, sizes. Nothing here needs the CDK."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra import stages
from infra.cdk.options import Options
from infra.runner.config import worker
from infra.runner.process_specs import PACKAGES, PEERS

PORT = 8080
READY = "/readyz"
DOMAIN = "forum.local"
SHELL = ("CMD", "python", "-S", "-m", "chassis.healthcheck")
# The only place that a container with a read-only file system can write to.
BEAT_FILE = "/dev/shm/beat"  # noqa: S108 - memory of the container's own

# After SIGTERM a task answers for so long: as long as others may remember its address.
DNS_SECONDS = 5
DRAIN_SECONDS = 5
# Draining, gunicorn's 8 seconds for what is left then, and some more.
STOP_SECONDS = 30
# Before that, the load balancer lets requests end; none takes longer.
DEREGISTRATION_SECONDS = 15

DATABASE = "forum"


@dataclass(frozen=True, kw_only=True)
class Size:
    """CPU units (1024 are one processor), MiB, and between how many tasks it may scale."""

    cpu: int
    memory: int
    fewest: int
    most: int


LAB_WEB, LAB_WORKER = (
    Size(cpu=256, memory=512, fewest=1, most=2),
    Size(cpu=256, memory=512, fewest=1, most=1),
)
PRODUCTION_WEB = {
    stages.MONOLITH: Size(cpu=1024, memory=2048, fewest=2, most=8),
    "users": Size(cpu=512, memory=1024, fewest=2, most=8),  # hashes passwords
    "threads": Size(cpu=512, memory=1024, fewest=2, most=8),
    "posts": Size(cpu=512, memory=1024, fewest=2, most=8),
}
PRODUCTION_WORKER = Size(cpu=256, memory=512, fewest=1, most=4)


def size(options: Options, component: str) -> Size:
    """Tell how large a component's tasks are."""
    return PRODUCTION_WEB[component] if options.production else LAB_WEB


def worker_size(options: Options) -> Size:
    """Tell how large a worker's tasks are."""
    return PRODUCTION_WORKER if options.production else LAB_WORKER


def dockerfile(component: str) -> str:
    """Name a component's Dockerfile, from the top of the repository."""
    folder = component if component == stages.MONOLITH else f"services/{component}"
    return f"{folder}/Dockerfile"


def address(component: str) -> str:
    """Give the address at which others find a component."""
    return f"http://{component}.{DOMAIN}:{PORT}"


def worker_command(component: str) -> tuple[str, ...]:
    """Give the command of a component's worker."""
    return ("python", "-m", f"{PACKAGES[component]}.worker")


def migrate_command() -> tuple[str, ...]:
    """Give the command that brings the monolith's schema up to date."""
    return ("python", "-m", f"{PACKAGES[stages.MONOLITH]}.migrate")


def worker_name(component: str) -> str:
    """Name a component's worker."""
    return worker(component)


def has_worker(options: Options) -> bool:
    """Tell whether there is anything to tell each other at this stage."""
    return bool(options.extracted)


def signs(options: Options, component: str) -> bool:
    """Tell whether a component signs sessions, which who owns the users does."""
    return component == options.owner("users")


def settings(options: Options, component: str, revision: str) -> dict[str, str]:
    """Give the settings that follow from the stage; what AWS names itself is added elsewhere."""
    told = {
        "REVISION": revision,
        "PORT": str(PORT),
        "DRAIN_SECONDS": str(DRAIN_SECONDS),
        "WEB_CONCURRENCY": str(max(1, 2 * size(options, component).cpu // 1024)),
    }
    peers: tuple[str, ...] = PEERS.get(component, ())
    if component == stages.MONOLITH:
        told["EXTRACTED"] = stages.as_setting(options.extracted)
        peers = stages.ordered(options.extracted)
    else:
        told["TABLE_PREFIX"] = options.prefix
    if component == "users":
        told["KEEPERS"] = ",".join(each for each in options.components if each != component)
    return told | {f"{peer.upper()}_URL": address(options.owner(peer)) for peer in peers}


def with_beat(told: Mapping[str, str]) -> dict[str, str]:
    """Add what only a worker is told."""
    return {**told, "BEAT_FILE": BEAT_FILE}
