"""Blue-green, canary and linear deployments at MiniStack's ECS, which replaces tasks by rolling.

ECS starts a new revision's tasks in the target group that gets no requests, gives them the test
traffic, and waits there if the service has a hook for that. Then it shifts the weights of the
production rule step by step, keeps the old tasks for the bake time, and goes back if an alarm
of the service is raised meanwhile. A minute of that takes `MINUTE_SECONDS`.
"""

import time
from collections.abc import Iterator
from typing import Any

from ministack.core.concurrency import resource_lock, spawn_background
from ministack.services import alb, ecs

from infra.local_cloud import service_deployments, weighted_rules
from infra.local_cloud.emulated import MINUTE_SECONDS

Service = dict[str, Any]
Deployment = dict[str, Any]

STRATEGIES = frozenset({"BLUE_GREEN", "CANARY", "LINEAR"})
LOOK_SECONDS = 0.1
SHIFTED = "_shifted"
"""The field of a deployment that says whether its shift has begun (False) or ended (True)."""

# The original function.
_complete = ecs._complete_service_deployment


def register_targets(_cluster: str, service: Service) -> None:
    """Register the running tasks of each deployment in the deployment's own target group.

    Rolling deployments have one group, the first.
    """
    balancers = service.get("loadBalancers") or []
    if not balancers:
        return
    (balanced,) = balancers
    wanted: dict[str, list[tuple[str, int]]] = {group: [] for group in _groups(balanced)}
    if service["status"] == "ACTIVE":
        for task in tuple(ecs._tasks.values()):
            address = ecs._task_ip(task)
            if address and _is_running(task, service):
                deployment = ecs._deployment_for_task(service, task)
                group = _group(service, balanced, deployment)
                wanted.setdefault(group, []).append((address, balanced["containerPort"]))
    published = service.setdefault("_published_targets", {})
    for group in wanted.keys() | published.keys():
        with resource_lock("elbv2-targets", group):
            targets = wanted.get(group, [])
            alb.set_targets_for_group(group, targets, published.get(group, ()))
            published[group] = [address for address, _ in targets]


def complete(cluster: str, key: str, expected_deployment_id: str | None = None) -> None:
    """Complete a deployment, after its shift if the service's strategy has one."""
    service = ecs._services.get(key)
    primary = ecs._primary_deployment(service) if service else None
    if not service or not primary or not _shifts(service, primary):
        _complete(cluster, key, expected_deployment_id)
        return
    with resource_lock("ecs-shift", key):
        if SHIFTED in primary or not _is_stable(service, primary):
            return
        primary[SHIFTED] = False
    spawn_background(_shift, cluster, key, primary, thread_name=f"shift-{key}")


def steps(configuration: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """Yield the percentages of requests for the new revision, and how many minutes each lasts."""
    bake = float(configuration.get("bakeTimeInMinutes", 0))
    strategy = configuration["strategy"]
    if strategy == "CANARY":
        canary = configuration["canaryConfiguration"]
        yield int(canary["canaryPercent"]), float(canary["canaryBakeTimeInMinutes"])
    elif strategy == "LINEAR":
        linear = configuration["linearConfiguration"]
        percent = int(linear["stepPercent"])
        for share in range(percent, 100, percent):
            yield share, float(linear["stepBakeTimeInMinutes"])
    yield 100, bake


def _shift(cluster: str, key: str, deployment: Deployment) -> None:
    """Shift the requests to a deployment, or back."""
    service = ecs._services[key]
    (balanced,) = service["loadBalancers"]
    advanced = balanced["advancedConfiguration"]
    rule, test_rule = advanced["productionListenerRule"], advanced.get("testListenerRule")
    before = weighted_rules.weights(rule)
    new = _group(service, balanced, deployment)
    reason = ""
    if test_rule:
        weighted_rules.set_weights(test_rule, {group: 100 * (group == new) for group in before})
        reason = service_deployments.pause(service, deployment, "POST_TEST_TRAFFIC_SHIFT")
        if deployment["status"] != "PRIMARY":
            return  # another deployment has begun
        if not _is_stable(service, deployment):
            reason = reason or "a task stopped"
    shares = () if reason else steps(service["deploymentConfiguration"])
    for share, minutes in shares:
        weighted_rules.set_weights(
            rule, {group: share if group == new else 100 - share for group in before}
        )
        if reason := _watch(service, deployment, minutes * MINUTE_SECONDS):
            break
    if reason:
        for each in filter(None, (rule, test_rule)):
            weighted_rules.set_weights(each, before)
        with resource_lock("ecs-service", key):
            _roll_back(service, deployment, reason)
        ecs._reconcile_service_tasks(cluster, key)
        # The tasks that serve again have been stable all the time.
    else:
        deployment[SHIFTED] = True
    _complete(cluster, key)


def _watch(service: Service, deployment: Deployment, seconds: float) -> str:
    """Watch a deployment for a time; return the reason to roll it back, or an empty text."""
    alarms = service["deploymentConfiguration"].get("alarms") or {}
    deadline = time.monotonic() + seconds
    while True:
        for name in alarms.get("alarmNames", ()) if alarms.get("enable") else ():
            if weighted_rules.is_raised(name):
                return f"alarm {name} was raised"
        if not _is_stable(service, deployment):
            return "a task stopped"
        if time.monotonic() >= deadline:
            return ""
        time.sleep(LOOK_SECONDS)


def _roll_back(service: Service, deployment: Deployment, reason: str) -> None:
    """Make the deployment that is being replaced the primary one again."""
    former = _former(service, deployment)
    deployment.update(
        status="ACTIVE",
        desiredCount=0,
        rolloutState="FAILED",
        rolloutStateReason=f"ECS deployment rolled back: {reason}.",
    )
    former.update(
        status="PRIMARY", desiredCount=service["desiredCount"], rolloutState="IN_PROGRESS"
    )
    former[SHIFTED] = True
    service["taskDefinition"] = former["taskDefinition"]


def _shifts(service: Service, primary: Deployment) -> bool:
    """Return whether requests have to be shifted to a deployment before it is complete."""
    strategy = (service.get("deploymentConfiguration") or {}).get("strategy")
    if strategy not in STRATEGIES or not service.get("loadBalancers"):
        return False
    waits = primary["rolloutState"] == "IN_PROGRESS" and not primary.get(SHIFTED)
    return waits and bool(_former(service, primary))


def _former(service: Service, deployment: Deployment) -> Deployment:
    """Return the deployment that is being replaced, or nothing."""
    return next(
        (
            each
            for each in service["deployments"]
            if each is not deployment and each["rolloutState"] == "COMPLETED"
        ),
        {},
    )


def _group(service: Service, balanced: dict[str, Any], deployment: Deployment | None) -> str:
    """Return a deployment's target group: at its start, the one that gets no requests."""
    first, *others = _groups(balanced)
    if deployment is None or not others:
        return first
    if "_group" not in deployment:
        former = _former(service, deployment)
        is_first_live = bool(former) and former.get("_group", first) == first
        deployment["_group"] = others[0] if is_first_live else first
    found: str = deployment["_group"]
    return found


def _groups(balanced: dict[str, Any]) -> list[str]:
    """Return a service's target groups, the first of which rolling deployments use."""
    advanced = balanced.get("advancedConfiguration") or {}
    alternate = advanced.get("alternateTargetGroupArn")
    return [balanced["targetGroupArn"], *([alternate] if alternate else [])]


def _is_running(task: dict[str, Any], service: Service) -> bool:
    return bool(
        task.get("group") == f"service:{service['serviceName']}"
        and task.get("clusterArn") == service["clusterArn"]
        and task.get("lastStatus") == "RUNNING"
    )


def _is_stable(service: Service, deployment: Deployment) -> bool:
    """Return whether all wanted tasks of a deployment run."""
    stable = sum(
        _is_running(task, service)
        and bool(task.get("_startup_stable"))
        and ecs._deployment_for_task(service, task) is deployment
        for task in tuple(ecs._tasks.values())
    )
    return stable >= int(service["desiredCount"])


def install() -> None:
    """Install all patches."""
    ecs._sync_service_targets = register_targets
    ecs._complete_service_deployment = complete
