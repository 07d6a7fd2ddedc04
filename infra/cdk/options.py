"""Options of the app, read from its context: stage, size and deployment strategy."""

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from infra import stages

LAB, PRODUCTION = "lab", "production"
ENVIRONMENTS = (LAB, PRODUCTION)
ROLLING, BLUE_GREEN, CANARY, LINEAR = "rolling", "blue-green", "canary", "linear"
STRATEGIES = (ROLLING, BLUE_GREEN, CANARY, LINEAR)
X86_64, ARM64 = "x86_64", "arm64"
FARGATE, FARGATE_SPOT, EC2 = "fargate", "fargate-spot", "ec2"
MANAGED_INSTANCES = "managed-instances"
CAPACITIES = (FARGATE, FARGATE_SPOT, EC2, MANAGED_INSTANCES)
TASK, STATE_MACHINE = "task", "state-machine"
MOVERS = (TASK, STATE_MACHINE)
SWITCH = ("off", "on")
EVERYBODY = "0.0.0.0/0"
KNOWN = (
    *("extracted", "moving", "environment", "strategy", "architecture", "name", "certificate"),
    *("revision", "idle", "exec", "email", "allow", "base_digest", "role", "capacity", "mover"),
)
RENAMED = {"asleep": "idle"}
"""Former names, each with the name that replaced it."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,11}")
_REVISION = re.compile(r"[\w.+-]{1,64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", re.ASCII)
_ROLE = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_CERTIFICATE = re.compile(r"arn:[\w-]+:acm:[\w-]+:\d{12}:certificate/[\w-]+")


class OptionsError(Exception):
    """The context is invalid; the message has one line per problem."""


@dataclass(frozen=True, kw_only=True)
class DeploymentOptions:
    """One deployment: a stage of the split in an environment.

    `moving` are domains between the monolith and their services: both run, and `extracted` says who
    had the domain before the move.
    `name` is the prefix of all resources, so that one account can have several deployments.
    `revision` is the value in `X-Served-By`, by default the first characters of the image's hash.
    Alarms go to `email`; only addresses in `allow`, a list of CIDRs, may reach the load balancer.
    `base_digest` pins the base of the images, by default the newest of its tag.
    `role` is the name of an existing role that all tasks take, where no role may be created.
    `capacity` is what services run on: Fargate, its spare capacity, or EC2 instances.
    `mover` is what moves a domain: one task, or a state machine with a task for each phase.
    `idle` runs no task; `exec` allows a shell in a lab's containers.
    """

    extracted: frozenset[str] = frozenset(stages.DOMAINS)
    moving: frozenset[str] = frozenset()
    environment: str = LAB
    strategy: str = ROLLING
    architecture: str = X86_64
    name: str = "forum"
    certificate: str = ""
    revision: str = ""
    email: str = ""
    allow: tuple[str, ...] = (EVERYBODY,)
    base_digest: str = ""
    role: str = ""
    capacity: str = FARGATE
    mover: str = TASK
    idle: bool = False
    exec: bool = False

    @property
    def production(self) -> bool:
        """Return whether this is the production environment."""
        return self.environment == PRODUCTION

    @property
    def open_without_tls(self) -> bool:
        """Return whether everybody may send passwords as plain text."""
        return EVERYBODY in self.allow and not self.certificate

    @property
    def weighted(self) -> bool:
        """Return whether requests are shifted to a new revision by weights, not task by task."""
        return self.strategy != ROLLING

    @property
    def on_instances(self) -> bool:
        """Return whether services run on EC2 instances."""
        return self.capacity in (EC2, MANAGED_INSTANCES)

    @property
    def public_tasks(self) -> bool:
        """Return whether tasks have public addresses, which accept no connections."""
        return not self.production and not self.on_instances

    @property
    def prefix(self) -> str:
        """Return the prefix of the names of tables, topic and queues, as in `TABLE_PREFIX`."""
        return f"{self.name}-"

    @property
    def components(self) -> tuple[str, ...]:
        """Return the components that run at this stage, the monolith first."""
        return (stages.MONOLITH, *self.services)

    @property
    def services(self) -> tuple[str, ...]:
        """Return the services that run at this stage, in canonical order."""
        return stages.in_canonical_order(self.extracted | self.moving)

    def owner(self, domain: str) -> str:
        """Return the component that serves a domain at this stage, before any move."""
        return domain if domain in self.extracted else stages.MONOLITH


def _architectures(capacity: str | None) -> tuple[str, str]:
    """Return the architectures, first that of this machine, which builds the images.

    Instances are not replaced at once, so theirs does not depend on the machine.
    """
    arm = platform.machine().lower() in {"arm64", "aarch64"}
    on_instances = capacity in (EC2, MANAGED_INSTANCES)
    return (ARM64, X86_64) if arm and not on_instances else (X86_64, ARM64)


def read_options(context: Mapping[str, str]) -> DeploymentOptions:
    """Read the context; raise an OptionsError that names every problem."""
    problems = [
        f"{name} is not a known option; known: {', '.join(KNOWN)}"
        for name in context
        if name not in KNOWN and name not in RENAMED
    ]
    problems += [f"{old} was renamed to {new}" for old, new in RENAMED.items() if old in context]

    def one_of(name: str, allowed: tuple[str, ...]) -> str:
        given = context.get(name) or allowed[0]
        if given not in allowed:
            problems.append(f"{name} must be one of {', '.join(allowed)}, not {given!r}")
        return given

    def matching(name: str, pattern: re.Pattern[str], default: str, what: str) -> str:
        given = context.get(name) or default
        if given and not pattern.fullmatch(given):
            problems.append(f"{name} must be {what}, not {given!r}")
        return given

    def domains(name: str, default: str) -> frozenset[str]:
        try:
            return stages.parse(context.get(name, default))
        except stages.UnknownDomainError as error:
            problems.append(str(error).replace("EXTRACTED", name.upper()))
            return frozenset()

    allow = _networks(context.get("allow") or EVERYBODY, problems)
    options = DeploymentOptions(
        extracted=domains("extracted", stages.as_setting(stages.DOMAINS)),
        moving=domains("moving", ""),
        environment=one_of("environment", ENVIRONMENTS),
        strategy=one_of("strategy", STRATEGIES),
        architecture=one_of("architecture", _architectures(context.get("capacity"))),
        name=matching(
            "name", _NAME, "forum", "at most 12 of a-z, 0-9 and -, starting with a letter"
        ),
        certificate=matching("certificate", _CERTIFICATE, "", "a certificate's ARN"),
        revision=matching("revision", _REVISION, "", "at most 64 letters, digits or _.+-"),
        email=matching("email", _EMAIL, "", "an e-mail address"),
        allow=allow,
        base_digest=matching("base_digest", _DIGEST, "", "sha256: and 64 hexadecimal digits"),
        role=matching("role", _ROLE, "", "the name of a role with the path /"),
        capacity=one_of("capacity", CAPACITIES),
        mover=one_of("mover", MOVERS),
        idle=one_of("idle", SWITCH) == "on",
        exec=one_of("exec", SWITCH) == "on",
    )
    if options.moving and options.weighted:
        problems.append(
            "a move changes listener rules itself: set strategy=rolling for moving (docs/deploy.md)"
        )
    if options.role and options.weighted:
        problems.append("strategies with weights create a role: set strategy=rolling for role")
    if options.role and options.on_instances:
        problems.append("instances need roles of their own: set capacity=fargate for role")
    if options.mover == STATE_MACHINE and not options.moving:
        problems.append("a state machine moves domains: set moving, too (docs/extracting.md)")
    if options.role and options.mover == STATE_MACHINE:
        problems.append("a state machine needs a role of its own: set mover=task for role")
    if options.production:
        if not options.certificate:
            problems.append("production requires HTTPS: set certificate=arn:…")
        problems += [
            f"{name}=on is for labs only" for name in ("idle", "exec") if getattr(options, name)
        ]
        if options.role:
            problems.append("role is for labs only: one role may read everything")
    if problems:
        raise OptionsError("\n".join(problems))
    return options


def _networks(given: str, problems: list[str]) -> tuple[str, ...]:
    """Return the IPv4 networks of a list; add a problem for each that is none."""
    networks = []
    for each in given.split(","):
        try:
            networks.append(str(IPv4Network(each.strip())))
        except ValueError as error:
            problems.append(f"allow must list IPv4 networks such as 192.0.2.0/24: {error}")
    return tuple(networks)
