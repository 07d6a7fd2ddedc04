"""The components on AWS: programs, settings and sizes. Independent of the CDK."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra import stages
from infra.cdk.options import DeploymentOptions
from infra.domains import SESSION_SIGNERS, package, peers

PORT = 8080
READY, LIVE = "/readyz", "/healthz"
DOMAIN = "forum.local"
DATABASE_FAILOVER_SECONDS = 120
"""RDS promotes the other copy of an instance in one to two minutes."""
SHELL = ("CMD", "python", "-S", "-m", "chassis.healthcheck")
# The only writable folder of a container with a read-only file system.
HEARTBEAT_FILE = "/dev/shm/heartbeat"  # noqa: S108 - memory of the container's own

# Seconds that a task serves after SIGTERM, until no proxy of Service Connect sends it requests.
DRAIN_SECONDS = 5
# Draining, gunicorn's 8 seconds for the remaining requests, and a margin.
STOP_SECONDS = 30
# Before that, the load balancer drains requests; none takes longer.
DEREGISTRATION_SECONDS = 15

DATABASE = "forum"
APP = "/app"
"""The folder of the code in images."""
CERTIFICATES = "forum/certificates/rds.crt"
"""The certificates that sign the database's own, in the monolith's image."""
MIGRATION = "migration"
"""The program that migrates the schema, and its stack."""
TOOLS = "tools"
"""The image of the programs that move data."""
_DOCKERFILES = {stages.MONOLITH: "monolith/Dockerfile", TOOLS: "infra/Dockerfile"}
"""The Dockerfiles of images that are no service's."""
FILTER_MINUTES = 15
"""The longest time in which SNS applies a changed filter policy, according to its guide."""
MOVER, MOVING, STATE_MACHINE = "Mover", "Moving", "StateMachine"
"""Outputs: the prefix of those that say how to run a domain's mover, and the moving domains."""


@dataclass(frozen=True, kw_only=True)
class TaskSize:
    """CPU units (1024 are one vCPU), MiB, and the range of tasks for scaling."""

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


TASKS_PER_INSTANCE = 2
"""Each task has a network interface; the types below have three, and need one themselves."""


def instance_type(options: DeploymentOptions) -> str:
    """Return the type of EC2 instances, with room for any two tasks."""
    arm = options.architecture == "arm64"
    if options.production:
        return "m7g.large" if arm else "m7i.large"
    return "t4g.small" if arm else "t3.small"


def max_instances(options: DeploymentOptions) -> int:
    """Return how many instances the old and the new tasks of a deployment take together."""
    return count_instances(2 * sum(each.max_tasks for each in sizes(options)))


def count_instances(tasks: int) -> int:
    """Return how many instances that many tasks take."""
    return -(-tasks // TASKS_PER_INSTANCE)


def sizes(options: DeploymentOptions) -> list[TaskSize]:
    """Return the sizes of all services at this stage: of components, and of their workers."""
    workers = [worker_size(options)] * len(options.components) if has_worker(options) else []
    return [size(options, each) for each in options.components] + workers


def size(options: DeploymentOptions, component: str) -> TaskSize:
    """Return the size of a component's tasks."""
    return PRODUCTION_WEB[component] if options.production else LAB_WEB


def worker_size(options: DeploymentOptions) -> TaskSize:
    """Return the size of a worker's tasks."""
    return PRODUCTION_WORKER if options.production else LAB_WORKER


def dockerfile(component: str) -> str:
    """Return the path of the Dockerfile of a component, or of the tools, in the repository."""
    return _DOCKERFILES.get(component, "services/Dockerfile")


def build_arguments(component: str) -> dict[str, str]:
    """Return the arguments of that Dockerfile."""
    return {} if component in _DOCKERFILES else {"SERVICE": component}


def host(component: str) -> str:
    """Return the name by which other components find a component."""
    return f"{component}.{DOMAIN}"


def address(component: str) -> str:
    """Return the address of a component for other components."""
    return f"http://{host(component)}:{PORT}"


def worker_command(component: str) -> tuple[str, ...]:
    """Return the command of a component's worker."""
    return ("python", "-m", package(component), "worker")


def mover(domain: str) -> str:
    """Return the name of the program that moves a domain."""
    return f"{domain}-mover"


def migrate_command() -> tuple[str, ...]:
    """Return the command that migrates the monolith's schema."""
    return ("python", "-m", package(stages.MONOLITH), "migrate")


def has_worker(options: DeploymentOptions) -> bool:
    """Return whether components exchange events at this stage."""
    return bool(options.services)


def signs_sessions(options: DeploymentOptions, component: str) -> bool:
    """Return whether a component signs sessions: the owner of users does, and the next one."""
    return component == options.owner("users") or (
        "users" in options.moving and component in SESSION_SIGNERS
    )


def called(options: DeploymentOptions, component: str) -> tuple[str, ...]:
    """Return the domains whose owners a component calls."""
    if component == stages.MONOLITH:
        return options.services
    return tuple(peers(component))


def callee(options: DeploymentOptions, component: str, domain: str) -> str:
    """Return the component at which another one finds a domain.

    The monolith calls each service at its own address. Services call the owner before any move,
    which forwards their requests to the owner after it.
    """
    return domain if component == stages.MONOLITH else options.owner(domain)


def callees(component: str) -> tuple[str, ...]:
    """Return the components that a component calls, at one stage or another.

    Each service forwards requests to the monolith that arrive after its domain has moved there.
    """
    domains = tuple(peers(component))
    return domains if component == stages.MONOLITH else (stages.MONOLITH, *domains)


def settings(options: DeploymentOptions, component: str, revision: str) -> dict[str, str]:
    """Return the settings that follow from the stage, without names generated by AWS."""
    variables = {
        "REVISION": revision,
        "PORT": str(PORT),
        "DRAIN_SECONDS": str(DRAIN_SECONDS),
        "WEB_CONCURRENCY": str(max(1, 2 * size(options, component).cpu // 1024)),
    }
    if component == stages.MONOLITH:
        variables["EXTRACTED"] = stages.as_setting(options.extracted)
    else:
        variables["TABLE_PREFIX"] = options.prefix
    if component == "users":
        others = stages.in_canonical_order(options.extracted - {component})
        variables["REPLICA_HOLDERS"] = ",".join((stages.MONOLITH, *others))
    if options.moving:
        variables |= _moving_settings(options, component)
    return variables | {
        f"{peer.upper()}_URL": address(callee(options, component, peer))
        for peer in called(options, component)
    }


def _moving_settings(options: DeploymentOptions, component: str) -> dict[str, str]:
    """Return the settings of a component while domains move."""
    if component == stages.MONOLITH:
        return {"LIVE_EXTRACTION": "true", "FORWARDED": stages.as_setting(options.moving)}
    own = {"LIVE_EXTRACTION": "true", "GATEWAY_URL": address(stages.MONOLITH)}
    # Its worker runs before the move, and must not give up events about what is not there yet.
    return own if component in options.extracted else own | {"OWNED_ELSEWHERE": "true"}


def with_heartbeat(variables: Mapping[str, str]) -> dict[str, str]:
    """Add the settings that only a worker has."""
    return {**variables, "HEARTBEAT_FILE": HEARTBEAT_FILE}
