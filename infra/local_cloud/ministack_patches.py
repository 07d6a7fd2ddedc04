"""MiniStack with additions that bring it closer to AWS; the entry point of its container.

MiniStack runs ECS's tasks as real containers and routes by the load balancer's rules, but it lacks
some features that make a deployment safe. They are added here, function by function, so that the
templates can be deployed unchanged. Each docstring describes the difference between AWS and
MiniStack. A version of MiniStack without a function that is replaced here fails at its start.
"""

import os
import sys
import time
from typing import Any

from ministack import app
from ministack.core import responses
from ministack.services import alb, ecs
from ministack.services.cloudformation import provisioners, stacks

from infra.local_cloud import (
    emulator_guard,
    fargate_limits,
    health,
    permissions,
    service_deployments,
    state_machines,
    traffic_shift,
    weighted_rules,
)

NAMES = "-names"
"""Suffix of the network on which tasks find each other."""
NAMES_OF: dict[str, list[str]] = {}
"""The names that a service has by Service Connect."""
STEADY_SECONDS = 180.0
STOP_SECONDS = 30
LOOK_SECONDS = 1.0
# Properties of a service whose change starts a deployment, beside its task definition.
_DEPLOYED_AGAIN = ("LoadBalancers", "ServiceConnectConfiguration")
FAILURES = {"EssentialContainerExited", "TaskFailedToStart"}
# Variables that `make deploy-local` adds to the tasks' definitions: limits, for a test.
TOLD = {
    name.removeprefix("TASK_"): value
    for name, value in os.environ.items()
    if name.startswith("TASK_")
}
# The volume with the certificates that sign the database's, and the folder that has RDS's on AWS.
AUTHORITY = os.environ.get("TASKS_AUTHORITY", "")

# The original functions.
_run_kwargs = ecs._build_run_kwargs
_running = ecs._mark_task_running
_run = ecs._run_docker_container
_own_thread = stacks._runs_on_worker_thread
_look = ecs._maybe_mark_stopped
_definitions = provisioners._normalize_container_defs
_register = ecs._register_task_definition
_define = provisioners._RESOURCE_HANDLERS["AWS::ECS::TaskDefinition"]["create"]
_service = provisioners._RESOURCE_HANDLERS["AWS::ECS::Service"]
_created, _updated = _service["create"], _service["update"]


def register_definition(request: dict[str, Any]) -> Any:
    """Reject a task definition that Fargate would reject, above all host folders and privileges."""
    if violation := fargate_limits.find_violation(request):
        return responses.error_response_json("ClientException", violation, 400)
    return _register(request)


def define(logical_id: str, props: dict[str, Any], stack: str) -> Any:
    """Reject such a definition in a template, too."""
    if violation := fargate_limits.find_violation(props):
        raise ValueError(violation)
    return _define(logical_id, props, stack)


def definitions(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Read a template's container definitions, with secrets and checks.

    MiniStack reads `Secrets` but not `ValueFrom` in it, so a container gets none. The reference to
    a secret is its ARN on AWS, and its name in MiniStack.
    """
    found: list[dict[str, Any]] = _definitions(given)
    for each in found:
        if "secrets" in each:
            each["secrets"] = [_camel(entry) for entry in each["secrets"]]
        for secret in each.get("secrets", ()):
            if not secret["valueFrom"].startswith("arn:"):
                secret["valueFrom"] = f"{_secret_arn()}{secret['valueFrom']}"
        if "healthCheck" in each:
            each["healthCheck"] = _camel(each["healthCheck"])
    return found


def run_kwargs(cdef: dict[str, Any], td: dict[str, Any], env: dict[str, str], *more: Any) -> Any:
    """Run a container with the restrictions of its definition: user, file system, capabilities.

    It gets credentials of its task's role. Certificates of the deployment's own authority replace
    those of RDS.
    """
    permissions.check_secrets(td, cdef)
    env.pop("AWS_CONTAINER_CREDENTIALS_FULL_URI", None)
    kwargs = _run_kwargs(cdef, td, env, *more)
    task = kwargs["labels"]["com.amazonaws.ecs.task-arn"].rpartition("/")[2]
    if role := td.get("taskRoleArn"):
        env.update(permissions.role_credentials(role, task))
    env.update(TOLD)
    limits = cdef.get("linuxParameters") or {}
    dropped = (limits.get("Capabilities") or {}).get("Drop") or []
    return kwargs | {
        "volumes": [*kwargs.get("volumes", ()), *filter(None, [AUTHORITY])],
        "read_only": bool(cdef.get("readonlyRootFilesystem")),
        "user": cdef.get("user"),
        "cap_drop": dropped,
        "init": bool(limits.get("InitProcessEnabled")),
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{td['memory']}m",
        # ECS ignores an image's own check.
        "healthcheck": {"test": ["NONE"]},
    }


def run(docker: Any, cdef: dict[str, Any], kwargs: dict[str, Any], **more: Any) -> Any:
    """Start a locally built image, without asking a registry."""
    return _run(docker, cdef, kwargs, **(more | {"refresh_image": False}))


def running(arn: str, task: dict[str, Any]) -> bool:
    """Report a task as running, and register it, once it is healthy.

    ECS counts a task for a deployment once its containers' checks and the load balancer's pass;
    before that, it gets no requests. MiniStack counts any container that has started. A container
    that ends or never becomes healthy counts as failed, for the circuit breaker. A task
    that belongs to no service may end at any time.
    """
    if not task["group"].startswith("service:"):
        return bool(_running(arn, task))
    docker = ecs._get_docker()
    containers = [docker.containers.get(each) for each in task["_docker_ids"]]
    pairs = [
        pair for pair in zip(_defined(task), containers, strict=True) if pair[0].get("essential")
    ]
    checks = [each["healthCheck"] for each, _ in pairs if each.get("healthCheck")]
    targets = list(_targets(task))

    def well() -> bool:
        if not all(health.target_is_healthy(*target) for target in targets):
            return False
        commands = (
            (health.health_check_command(each.get("healthCheck")), made) for each, made in pairs
        )
        return all(made.exec_run(command).exit_code == 0 for command, made in commands if command)

    def ended() -> str:
        for each, made in pairs:
            made.reload()
            if made.status == "exited":
                return str(each["name"])
        return ""

    def given_up() -> bool:
        return not ecs._task_is_active(arn, task)

    if not health.wait(well, ended, given_up, health.startup_seconds(checks)):
        return False
    for each, made in pairs:
        register(docker, str(each["name"]), made)
    return bool(_running(arn, task))


def look(task: dict[str, Any], docker: Any = None) -> None:
    """Check a task's containers once a second; ten times would be a load of its own."""
    if time.monotonic() - task.get("_looked", 0.0) >= LOOK_SECONDS:
        task["_looked"] = time.monotonic()
        _look(task, docker)


def register(docker: Any, name: str, container: Any) -> None:
    """Register a task under its names of Service Connect, and make other names resolvable for it.

    ECS adds a proxy to each task, which knows the names that existed when the task's service was
    deployed. Here it is a network of the engine with aliases, and a task also finds names that are
    younger than itself.
    """
    first = next(iter(container.attrs["NetworkSettings"]["Networks"]))
    network = docker.networks.get(first + NAMES)
    network.connect(container, aliases=NAMES_OF.get(name, []))


def remove(docker: Any, container: Any) -> None:
    """Stop a container with ECS's timeout; MiniStack would kill it after five seconds."""
    if isinstance(container, str):
        try:
            container = docker.containers.get(container)
        except Exception:
            return
    try:
        container.stop(timeout=STOP_SECONDS)
        container.remove(v=True, force=True)
    except Exception as error:
        sys.stderr.write(f"{container.name} is not removed: {error}\n")


def created(logical_id: str, props: dict[str, Any], stack: str) -> Any:
    """Complete a service's creation once its tasks are healthy, as CloudFormation does."""
    connect(props)
    made = _created(logical_id, props, stack)
    _steady(made[0], props.get("TaskDefinition", ""))
    return made


def updated(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> Any:
    """Complete an update once the deployment is complete; fail if ECS rolled it back.

    MiniStack deploys a service again for a new task definition only.
    """
    connect(new)
    made = _updated(physical_id, old, new, stack)
    changed = {name for name in _DEPLOYED_AGAIN if old.get(name) != new.get(name)}
    if changed and old["TaskDefinition"] == new["TaskDefinition"]:
        service = {"cluster": new["Cluster"], "service": new["ServiceName"]}
        ecs._update_service({**service, "forceNewDeployment": True})
    _steady(physical_id, new.get("TaskDefinition", ""))
    return made


def connect(props: dict[str, Any]) -> None:
    """Remember a service's names, before its first task starts; MiniStack drops them."""
    offered = (props.get("ServiceConnectConfiguration") or {}).get("Services") or []
    NAMES_OF[props["ServiceName"]] = [
        alias["DnsName"] for each in offered for alias in each["ClientAliases"]
    ]


def own_thread(kind: str) -> bool:
    """Wait for services in a separate thread, because the wait would block everything else."""
    return kind == "AWS::ECS::Service" or bool(_own_thread(kind))


def _steady(arn: str, definition: str) -> None:
    """Wait for a service's deployment."""
    key = arn.partition(":service/")[2]
    deadline = time.monotonic() + STEADY_SECONDS
    while time.monotonic() < deadline:
        service = ecs._services.get(key, {})
        mine = [d for d in service.get("deployments", []) if d["taskDefinition"] == definition]
        for deployment in mine:
            if deployment["rolloutState"] == "FAILED":
                msg = f"{key}: the deployment failed. {deployment['rolloutStateReason']}"
                raise ValueError(msg)
        if any(
            deployment["status"] == "PRIMARY"
            and deployment["rolloutState"] == "COMPLETED"
            and deployment["runningCount"] >= service["desiredCount"]
            for deployment in mine
        ):
            return
        failed = [task for task in _stopped(key, definition) if task["stopCode"] in FAILURES]
        if len(failed) >= 3:
            msg = f"{key}: three tasks failed, the last with: {failed[-1]['stoppedReason']}"
            raise ValueError(msg)
        time.sleep(0.1)
    msg = f"{key}: not stable after {STEADY_SECONDS:g} s"
    raise ValueError(msg)


def _stopped(service: str, definition: str) -> list[dict[str, Any]]:
    """Return the stopped tasks of a definition, oldest first."""
    name = service.partition("/")[2]
    return [
        task
        for task in ecs._tasks.values()
        if task["group"] == f"service:{name}"
        and task["taskDefinitionArn"] == definition
        and task["lastStatus"] == "STOPPED"
    ]


def _secret_arn() -> str:
    return f"arn:aws:secretsmanager:{responses.get_region()}:{responses.get_account_id()}:secret:"


def _defined(task: dict[str, Any]) -> list[dict[str, Any]]:
    key = ecs._resolve_td_key(task["taskDefinitionArn"])
    found: list[dict[str, Any]] = ecs._task_defs[key]["containerDefinitions"]
    return found


def _targets(task: dict[str, Any]) -> Any:
    """Yield the load balancer's checks of a task: address, port, path and status codes."""
    cluster = task["clusterArn"].rsplit("/", 1)[-1]
    name = task["group"].partition("service:")[2]
    for balanced in ecs._services.get(f"{cluster}/{name}", {}).get("loadBalancers") or []:
        group = alb._tgs[balanced["targetGroupArn"]]
        codes = str((group.get("Matcher") or {}).get("HttpCode") or "200")
        yield ecs._task_ip(task), balanced["containerPort"], group["HealthCheckPath"], codes


def _camel(entry: dict[str, Any]) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: value for name, value in entry.items()}


def install() -> None:
    """Install all patches."""
    permissions.install()
    emulator_guard.install()
    weighted_rules.install()
    traffic_shift.install()
    service_deployments.install()
    state_machines.install()
    ecs._register_task_definition = register_definition
    ecs._ACTION_MAP["RegisterTaskDefinition"] = register_definition
    # An update calls the function by its name.
    provisioners._ecs_task_def_create = define
    provisioners._RESOURCE_HANDLERS["AWS::ECS::TaskDefinition"]["create"] = define
    provisioners._normalize_container_defs = definitions
    stacks._runs_on_worker_thread = own_thread
    _service["create"], _service["update"] = created, updated
    ecs._build_run_kwargs = run_kwargs
    ecs._run_docker_container = run
    ecs._mark_task_running = running
    ecs._remove_docker_container = remove
    ecs._maybe_mark_stopped = look
    # An image that is in no registry has no digest.
    ecs._deployment_needs_first_task = lambda *_: False


if __name__ == "__main__":
    install()
    app.main()
