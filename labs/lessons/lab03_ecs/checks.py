"""Checks of lab 3: the monolith on ECS, by the templates that the CDK app synthesizes."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chassis.deadline import MAX_SECONDS
from chassis.http.gunicorn_conf import graceful_timeout
from labs.outcome import CheckNotRun, fail
from labs.tracebacks import fail_if_unwritten
from labs.workspace import SYNTHESIS_SECONDS, Workspace

EDGE = "infra/cdk/stacks/load_balancer.py"
TASK = "infra/cdk/constructs/fargate_service.py"
COMPONENT = "infra/cdk/stacks/component.py"
CLOUD_PAGE = "docs/adr/0020-cloud.md"
CALLS_PAGE = "docs/adr/0015-calls.md"

_PROBE = Path(__file__).with_name("probe.py")
_PORT, _READY = 8080, "/readyz"
_SECRETS = {"SECRET_KEY", "SESSION_PUBLIC_KEYS", "SESSION_PRIVATE_KEY", "PGPASSWORD"}
_MOST_DRAIN = 60  # seconds; a deployment waits this long for each task that it replaces
_START = 10  # seconds at least that a task may take to start
_MOST_STOP = 120  # seconds; ECS allows no more on Fargate

Properties = dict[str, Any]


def check_balancer(workspace: Workspace) -> None:
    """Check target group and listeners, without a certificate and with one."""
    plain, encrypted = _synthesise(workspace, "edge")
    where = workspace.find_line(EDGE, "def target_group(")
    for resources in (plain, encrypted):
        _check_target_group(next(_all(resources, "ElasticLoadBalancingV2::TargetGroup")), where)
    where = workspace.find_line(EDGE, "def _listen(")
    _check_listeners([*_all(plain, "ElasticLoadBalancingV2::Listener")], where)
    _check_redirect([*_all(encrypted, "ElasticLoadBalancingV2::Listener")], where)


def _check_target_group(group: Properties, where: str) -> None:
    if group.get("TargetType") != "ip":
        fail(
            "wrong-target-type",
            asked="the type of the targets",
            got=str(group.get("TargetType", "instance, the default")),
            expected="ip",
            where=where,
            why=(
                "A Fargate task is no instance of yours. It has a network interface, and the load"
                " balancer knows it by its address. ECS refuses a service with another type."
            ),
            page=CLOUD_PAGE,
        )
    path = group.get("HealthCheckPath", "/")
    if path != _READY or str(group.get("Matcher", {}).get("HttpCode", "200")) != "200":
        fail(
            "not-ready",
            asked="the health check",
            got=f"{path}, for {group.get('Matcher', {}).get('HttpCode', '200')}",
            expected=f"{_READY}, for 200",
            where=where,
            why=(
                "/healthz says that the process lives, and / is a page that costs queries. Only"
                f" {_READY} says that a task can work now, and fails as soon as it has to stop."
            ),
            page=CALLS_PAGE,
        )
    interval = int(group.get("HealthCheckIntervalSeconds", 30))
    timeout = int(group.get("HealthCheckTimeoutSeconds", 5))
    if timeout >= interval or interval > 15:
        fail(
            "slow-to-notice",
            asked="interval and timeout of the health check",
            got=f"{interval} s and {timeout} s",
            expected="at most 15 s, and a timeout below the interval",
            where=where,
            why="A new task waits for two checks, and a broken one gets requests until ten fail.",
            page=CLOUD_PAGE,
        )
    attributes = {each["Key"]: each["Value"] for each in group.get("TargetGroupAttributes", ())}
    delay = int(attributes.get("deregistration_delay.timeout_seconds", 300))
    if not MAX_SECONDS < delay <= _MOST_DRAIN:
        fail(
            "cuts-requests" if delay <= MAX_SECONDS else "drains-too-long",
            asked="the deregistration delay",
            got=f"{delay} s",
            expected=f"more than the {MAX_SECONDS:g} s of a request, at most {_MOST_DRAIN} s",
            where=where,
            why=(
                "The load balancer waits this long for requests of a task that leaves. Less cuts"
                " them off; the default of 300 s makes each deployment take minutes."
            ),
            page=CLOUD_PAGE,
        )


def _check_listeners(listeners: list[Properties], where: str) -> None:
    ports = [(each["Port"], each["Protocol"]) for each in listeners]
    actions = [action["Type"] for each in listeners for action in each["DefaultActions"]]
    if ports != [(80, "HTTP")] or actions != ["forward"]:
        fail(
            "wrong-listener",
            asked="the listeners of a lab without a certificate",
            got=", ".join(f"{port} {protocol}" for port, protocol in ports) + f" ({actions})",
            expected="80 HTTP, which forwards to the monolith",
            where=where,
            why="Without a certificate there is no HTTPS, and a lab still wants to be seen.",
            page=CLOUD_PAGE,
        )


def _check_redirect(listeners: list[Properties], where: str) -> None:
    found = {each["Port"]: each for each in listeners}
    first = found.get(80, {}).get("DefaultActions", [{}])[0]
    if first.get("Type") != "redirect" or first["RedirectConfig"].get("Protocol") != "HTTPS":
        fail(
            "plain-http",
            asked="port 80, when there is a certificate",
            got=str(first.get("Type", "no listener")),
            expected="a redirect to HTTPS",
            where=where,
            why="Passwords and sessions would go over the network in the clear.",
            page=CLOUD_PAGE,
        )
    secure = found.get(443, {})
    action = secure.get("DefaultActions", [{}])[0]
    if action.get("Type") != "forward" or not secure.get("Certificates"):
        fail(
            "no-https",
            asked="port 443, when there is a certificate",
            got=str(action.get("Type", "no listener")),
            expected="a listener with the certificate, which forwards to the monolith",
            where=where,
            why="The redirect sends everybody there.",
            page=CLOUD_PAGE,
        )


def check_task(workspace: Workspace) -> None:
    """Check the containers of the monolith's task definition."""
    (resources,) = _synthesise(workspace, "task")
    task = next(_all(resources, "ECS::TaskDefinition"))
    where = workspace.find_line(TASK, "def _container(")
    containers = {each["Name"]: each for each in task["ContainerDefinitions"]}
    for container in containers.values():
        _check_secrets(container, workspace)
        _check_rights(container, where)
        _check_log(container, where)
    _check_serving(containers["monolith"], where)


def _check_secrets(container: Properties, workspace: Workspace) -> None:
    plain = {each["Name"] for each in container.get("Environment", ())} & _SECRETS
    referred = {each["Name"] for each in container.get("Secrets", ())}
    name = container["Name"]
    if plain:
        fail(
            "secret-in-environment",
            asked=f"the environment of the container {name}",
            got=", ".join(sorted(plain)),
            expected="no secret: references in Secrets",
            where=workspace.find_line(COMPONENT, "def _settings("),
            why=(
                "ECS resolves it into the task definition, which everybody who may describe tasks"
                " can read, in each of its revisions. A reference is resolved in the task alone."
            ),
            page=CLOUD_PAGE,
        )
    if referred != _SECRETS:
        fail(
            "missing-secret",
            asked=f"the secrets of the container {name}",
            got=", ".join(sorted(referred)) or "none",
            expected=", ".join(sorted(_SECRETS)),
            where=workspace.find_line(COMPONENT, "def _secrets("),
            why=(
                "At this stage the monolith owns users and the database, so it signs sessions,"
                " verifies them, and needs the database's password."
            ),
            page=CLOUD_PAGE,
        )


def _check_rights(container: Properties, where: str) -> None:
    user = str(container.get("User", "root, the default of an image without USER"))
    if user.partition(":")[0] in {"0", "root"} or "User" not in container:
        fail(
            "runs-as-root",
            asked=f"the user of the container {container['Name']}",
            got=user,
            expected="10001:10001",
            where=where,
            why=(
                "A fault in the program gives an attacker the rights of its user. The task"
                " definition says it, too, so that another image cannot change it unnoticed."
            ),
            page=CLOUD_PAGE,
        )
    dropped = container.get("LinuxParameters", {}).get("Capabilities", {}).get("Drop", [])
    if not container.get("ReadonlyRootFilesystem") or dropped != ["ALL"]:
        fail(
            "too-many-rights",
            asked=f"the file system and capabilities of the container {container['Name']}",
            got=f"read-only: {container.get('ReadonlyRootFilesystem', False)}, dropped: {dropped}",
            expected="read-only: True, dropped: ['ALL']",
            where=where,
            why="A forum needs no capability, and no program may replace its code at run time.",
            page=CLOUD_PAGE,
        )


def _check_log(container: Properties, where: str) -> None:
    log = container.get("LogConfiguration", {})
    if log.get("LogDriver") != "awslogs":
        fail(
            "no-logs",
            asked=f"the log configuration of the container {container['Name']}",
            got=str(log.get("LogDriver", "none")),
            expected="awslogs, with the task's log group",
            where=where,
            why="A task that stops takes its output along. You learn that it died, but not why.",
            page=CLOUD_PAGE,
        )
    if log["Options"].get("mode") != "non-blocking":
        fail(
            "blocking-logs",
            asked=f"the mode of the log of the container {container['Name']}",
            got=str(log["Options"].get("mode", "blocking, the default")),
            expected="non-blocking, with a buffer",
            where=where,
            why="A forum that waits for its log stops when CloudWatch does.",
            page=CLOUD_PAGE,
        )


def _check_serving(container: Properties, where: str) -> None:
    ports = [each.get("ContainerPort") for each in container.get("PortMappings", ())]
    if ports != [_PORT]:
        fail(
            "wrong-port",
            asked="the port of the container monolith",
            got=", ".join(map(str, ports)) or "none",
            expected=str(_PORT),
            where=where,
            why="The program listens on PORT, and the load balancer sends requests there.",
            page=CLOUD_PAGE,
        )
    health = container.get("HealthCheck", {})
    command = " ".join(health.get("Command", ()))
    if "chassis.healthcheck" not in command or "--heartbeat" in command:
        fail(
            "not-checked",
            asked="the health check of the container monolith",
            got=command or "none",
            expected="chassis.healthcheck, which asks /healthz",
            where=where,
            why=(
                "A program that hangs still has a process. ECS replaces a task whose check fails,"
                " and the image has no curl to ask with."
            ),
            page=CLOUD_PAGE,
        )
    if int(health.get("StartPeriod", 0)) < _START:
        fail(
            "killed-at-start",
            asked="the start period of the health check",
            got=f"{health.get('StartPeriod', 0)} s",
            expected=f"at least {_START} s",
            where=where,
            why=(
                "A task on a quarter of a CPU takes seconds to start. Checks that fail meanwhile"
                " would count, so ECS would kill it and start the next one, again and again."
            ),
            page=CLOUD_PAGE,
        )
    _check_stop(container, where)


def _check_stop(container: Properties, where: str) -> None:
    settings = {each["Name"]: each["Value"] for each in container["Environment"]}
    needed = float(settings["DRAIN_SECONDS"]) + graceful_timeout
    stop = int(container.get("StopTimeout", 30))
    if not needed < stop <= _MOST_STOP:
        fail(
            "killed-early",
            asked="the stop timeout",
            got=f"{stop} s",
            expected=f"more than {needed:g} s, at most {_MOST_STOP} s",
            where=where,
            why=(
                f"After SIGTERM the task serves for DRAIN_SECONDS, {settings['DRAIN_SECONDS']} s,"
                f" and gunicorn finishes what is left within {graceful_timeout} s. Then comes"
                " SIGKILL, and cuts off whatever remains."
            ),
            page=CALLS_PAGE,
        )


def check_service(workspace: Workspace) -> None:
    """Check how the service of the monolith replaces its tasks."""
    (resources,) = _synthesise(workspace, "all")
    where = workspace.find_line(TASK, "def fargate_service(")
    service = next(_all(resources, "ECS::Service"))
    deployment = service.get("DeploymentConfiguration", {})
    breaker = deployment.get("DeploymentCircuitBreaker", {})
    if not breaker.get("Enable"):
        fail(
            "no-circuit-breaker",
            asked="the deployment circuit breaker",
            got="off",
            expected="on, with rollback",
            where=where,
            why="ECS would start tasks that die for hours, and the deployment would never end.",
            page=CLOUD_PAGE,
        )
    if not breaker.get("Rollback"):
        fail(
            "no-rollback",
            asked="the deployment circuit breaker",
            got="on, without rollback",
            expected="on, with rollback",
            where=where,
            why="The deployment fails and stays there, with fewer tasks until someone wakes up.",
            page=CLOUD_PAGE,
        )
    least, most = (deployment.get(f"{which}Percent") for which in ("MinimumHealthy", "Maximum"))
    if least is None or int(least) < 100 or most is None or int(most) < 200:
        fail(
            "gap",
            asked="the share of tasks that runs during a deployment",
            got=f"{least} to {most} percent",
            expected="100 to 200 percent",
            where=where,
            why=(
                "Below 100 percent, ECS may stop tasks before new ones are ready. With 0 percent,"
                " that may be all. At 100 percent at most, it cannot start the new ones first."
            ),
            page=CLOUD_PAGE,
        )
    grace = int(service.get("HealthCheckGracePeriodSeconds", 0))
    if grace < _START:
        fail(
            "killed-while-starting",
            asked="the grace period of the load balancer's health check",
            got=f"{grace} s",
            expected=f"at least {_START} s",
            where=where,
            why=(
                "A task starts slowly on a quarter of a CPU. Without a grace period,"
                " ECS takes the failing checks of that time for an unhealthy task."
            ),
            page=CLOUD_PAGE,
        )
    names = service.get("ServiceConnectConfiguration", {}).get("Services", ())
    if service.get("LaunchType") != "FARGATE" or not names:
        fail(
            "not-found",
            asked="launch type, and names by Service Connect",
            got=f"{service.get('LaunchType')}, {len(names)} names",
            expected="FARGATE, 1 name",
            where=where,
            why="Other components find the monolith by its name.",
            page=CLOUD_PAGE,
        )


def _all(resources: list[Mapping[str, Any]], kind: str) -> Iterator[Properties]:
    """Yield the properties of all resources of a type."""
    for resource in resources:
        if resource["Type"] == f"AWS::{kind}":
            yield resource["Properties"]


def _synthesise(workspace: Workspace, part: str) -> list[list[Mapping[str, Any]]]:
    """Return the resources of a part of the app, for each of its variants."""
    with tempfile.TemporaryDirectory() as folder:
        done = workspace.run(str(_PROBE), part, folder, seconds=SYNTHESIS_SECONDS)
    if done.returncode:
        fail_if_unwritten(done.stderr, workspace.folder, CLOUD_PAGE)
        raise CheckNotRun(done.stderr)
    found: list[list[Mapping[str, Any]]] = json.loads(done.stdout)
    return found


CHECKS = (check_balancer, check_task, check_service)
