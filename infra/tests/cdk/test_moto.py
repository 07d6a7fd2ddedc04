"""A second implementation of AWS agrees with the routing table and the options.

The stacks are deployed on moto, and changed in place from stage to stage. What lives there
afterwards is compared with what `routes.toml` and the options say.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from infra import stages
from infra.cdk import components, names
from infra.cdk.constructs.images import REVISION_LENGTH
from infra.cdk.options import BLUE_GREEN, CANARY, LINEAR, ROLLING, DeploymentOptions
from infra.domains import SESSION_SIGNERS
from infra.gateway.routes import load
from infra.local_cloud.images import assets
from infra.runner.config import worker_name
from infra.tests.cdk.moto_cloud import REGION, STRIPPED, MotoCloud, moto_cloud, secret_arn
from infra.tests.cdk.templates import EVERYTHING, Templates, templates

HOST, ADDRESS = "forum.example.org", ip_address("198.51.100.7")
STEPS = (
    {"extracted": ""},
    {"extracted": "", "moving": "users"},
    {"extracted": "users"},
    {"extracted": EVERYTHING},
    {"extracted": "users"},
    {"extracted": ""},
)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoCloud]:
    with moto_cloud(monkeypatch) as made:
        yield made


def test_stages_change_in_place_and_back(cloud: MotoCloud) -> None:
    """One account sees all steps, as an operator of docs/deploy.md takes them."""
    priorities: dict[str, set[int]] = {}
    for step in STEPS:
        made = templates(**step)
        cloud.deploy(made)
        check(cloud, made)
        for rule in live_rules(cloud):
            for pattern in paths(rule):
                priorities.setdefault(pattern, set()).add(int(rule["Priority"]))
    assert {len(found) for found in priorities.values()} == {1}, priorities
    cloud.deploy(templates(extracted="", idle="on"))
    check(cloud, templates(extracted="", idle="on"))


def test_strategy_changes_in_place_and_back(cloud: MotoCloud) -> None:
    for strategy in (ROLLING, BLUE_GREEN, CANARY, LINEAR, ROLLING):
        made = templates(strategy=strategy)
        cloud.deploy(made)
        check(cloud, made)


def test_every_stripped_type_occurs_and_has_a_reason() -> None:
    kinds = {
        resource["Type"]
        for made in (templates(), templates(strategy="canary"))
        for stack in made.stacks.values()
        for resource in stack.get("Resources", {}).values()
    }
    assert STRIPPED.keys() <= kinds
    assert all(STRIPPED.values())


def check(cloud: MotoCloud, made: Templates) -> None:
    """Compare the live resources with the routing table and the options."""
    check_routes(cloud, made.options)
    check_target_groups(cloud, made.options)
    check_services(cloud, made.options)
    check_tasks(cloud, made)


def check_routes(cloud: MotoCloud, options: DeploymentOptions) -> None:
    table = load().at(options.extracted)
    probes = ["/", "/sign-in", "/api", "/readyz"]
    for route in load().routes:
        probes += [route.prefix, f"{route.prefix}/1", f"{route.prefix}/1/2", f"{route.prefix}x"]
    listener = live_listener(cloud)
    groups = group_components(cloud, options)
    for probe in probes:
        owners = [
            route.component
            for route in table.routes
            if probe == route.prefix or probe.startswith(f"{route.prefix}/")
        ]
        found = next((rule for rule in live_rules(cloud) if matches(rule, probe)), None)
        actions = found["Actions"] if found else listener["DefaultActions"]
        assert receivers(actions, groups) == {owners[0] if owners else table.default}, probe


def check_target_groups(cloud: MotoCloud, options: DeploymentOptions) -> None:
    owners = group_components(cloud, options)
    assert set(owners.values()) == {*options.components}
    for group in cloud.client("elbv2").describe_target_groups()["TargetGroups"]:
        assert (group["Protocol"], group["Port"]) == ("HTTP", components.PORT)
        assert group["TargetType"] == "ip"
        assert group["HealthCheckPath"] == components.READY


def check_services(cloud: MotoCloud, options: DeploymentOptions) -> None:
    client = cloud.client("ecs")
    cluster = names.cluster(options)
    arns = client.list_services(cluster=cluster)["serviceArns"]
    live = {
        service["serviceName"]: service
        for service in client.describe_services(cluster=cluster, services=arns)["services"]
        if service["status"] == "ACTIVE"
    }
    assert live.keys() == set(programs(options))
    groups = group_components(cloud, options)
    attached = {arn for rule in live_rules(cloud) for arn in weights(rule["Actions"])}
    attached |= set(weights(live_listener(cloud)["DefaultActions"]))
    for name, service in live.items():
        assert service["desiredCount"] == (0 if options.idle else 1), name
        assert service["launchType"] == "FARGATE"
        balanced = [
            (groups[each["targetGroupArn"]], each["containerName"], each["containerPort"])
            for each in service["loadBalancers"]
        ]
        serves = name in options.components
        assert balanced == ([(name, name, components.PORT)] if serves else [])
        # ECS refuses a target group that no listener has.
        assert {each["targetGroupArn"] for each in service["loadBalancers"]} <= attached


def check_tasks(cloud: MotoCloud, made: Templates) -> None:
    options = made.options
    client, roles = cloud.client("ecs"), live_roles(cloud)
    stacks = [names.stack(options, each) for each in options.components]
    tags = {
        each.stack: each.name.rpartition(":")[2]
        for each in assets(made.folder, stacks)
        if not each.target
    }
    listed = cloud.client("sqs").list_queues().get("QueueUrls", [])
    queues = {url.rpartition("/")[2] for url in listed}
    for program, component in programs(options).items():
        family = names.family(options, program)
        task = client.describe_task_definition(taskDefinition=family)["taskDefinition"]
        assert roles[task["taskRoleArn"]] == f"{options.name}-{component}-{REGION}"
        assert roles[task["executionRoleArn"]] != roles[task["taskRoleArn"]]
        [container] = [c for c in task["containerDefinitions"] if c["name"] == program]
        tag = tags[names.stack(options, component)]
        assert container["image"].endswith(f":{tag}")
        assert f".dkr.ecr.{REGION}." in container["image"]
        environment = {each["name"]: each["value"] for each in container["environment"]}
        wanted = components.settings(options, component, tag[:REVISION_LENGTH])
        assert wanted.items() <= environment.items()
        for name in ("EVENTS_QUEUE_URL", "EVENTS_DEAD_LETTER_QUEUE_URL"):
            assert (name in environment) == bool(options.services)
            if options.services:
                assert environment[name].rpartition("/")[2] in queues
        found = {each["name"]: each["valueFrom"] for each in container["secrets"]}
        assert found == secrets(options, component)


def secrets(options: DeploymentOptions, component: str) -> dict[str, str]:
    """Return the secrets of a component: the owner of users signs sessions, or both of a move."""
    signer = options.owner("users")
    shared = secret_arn(names.shared_secret(options))
    found = {
        "SECRET_KEY": f"{shared}:secret_key::",
        "SESSION_PUBLIC_KEYS": f"{shared}:{names.public_keys(signer)}::",
    }
    if component == signer or ("users" in options.moving and component in SESSION_SIGNERS):
        found["SESSION_PRIVATE_KEY"] = (
            f"{secret_arn(names.signing_secret(options))}:{names.private_key(component)}::"
        )
    if component == stages.MONOLITH:
        secret = names.database_application_secret(options)
        found["PGPASSWORD"] = f"{secret_arn(secret)}:password::"
    return found


def programs(options: DeploymentOptions) -> dict[str, str]:
    """Return the programs that run at a stage, each with its component."""
    found = {name: name for name in options.components}
    if components.has_worker(options):
        found |= {worker_name(name): name for name in options.components}
    return found


def live_roles(cloud: MotoCloud) -> dict[str, str]:
    pages = cloud.client("iam").get_paginator("list_roles").paginate()
    return {role["Arn"]: role["RoleName"] for page in pages for role in page["Roles"]}


def live_listener(cloud: MotoCloud) -> dict[str, Any]:
    client = cloud.client("elbv2")
    (balancer,) = client.describe_load_balancers()["LoadBalancers"]
    listeners = client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])
    (listener,) = listeners["Listeners"]
    found: dict[str, Any] = listener
    return found


def live_rules(cloud: MotoCloud) -> list[dict[str, Any]]:
    """Return the live rules but the default one, by priority."""
    arn = live_listener(cloud)["ListenerArn"]
    rules = cloud.client("elbv2").describe_rules(ListenerArn=arn)["Rules"]
    found = [rule for rule in rules if rule["Priority"] != "default"]
    return sorted(found, key=lambda rule: int(rule["Priority"]))


def paths(rule: dict[str, Any]) -> list[str]:
    return [path for c in rule["Conditions"] for path in values(c) if c["Field"] == "path-pattern"]


def matches(rule: dict[str, Any], path: str) -> bool:
    """Return whether a rule takes a user's request for a path."""
    for condition in rule["Conditions"]:
        match condition["Field"]:
            case "path-pattern":
                fits = any(fnmatchcase(path, each) for each in values(condition))
            case "host-header":
                fits = any(fnmatchcase(HOST, each) for each in values(condition))
            case "source-ip":
                fits = any(ADDRESS in ip_network(each) for each in values(condition))
            case "http-header":
                fits = False  # the requests of users have no such header
            case other:
                pytest.fail(f"an unknown condition: {other}")
        if not fits:
            return False
    return True


def values(condition: dict[str, Any]) -> list[str]:
    """Return the values of a condition, which stand at one of two places."""
    (nested,) = [part for name, part in condition.items() if name.endswith("Config")] or [{}]
    found: list[str] = nested.get("Values") or condition["Values"]
    return found


def weights(actions: list[dict[str, Any]]) -> dict[str, int]:
    """Return the weight of each target group of a forward."""
    (action,) = actions
    assert action["Type"] == "forward"
    if "TargetGroupArn" in action:
        return {action["TargetGroupArn"]: 1}
    groups = action["ForwardConfig"]["TargetGroups"]
    return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}


def receivers(actions: list[dict[str, Any]], groups: dict[str, str]) -> set[str]:
    """Return the components to which a forward sends requests."""
    assert set(weights(actions)) <= set(groups)
    return {groups[arn] for arn, weight in weights(actions).items() if weight}


def group_components(cloud: MotoCloud, options: DeploymentOptions) -> dict[str, str]:
    """Return the component of each live target group, by the group's name."""
    found = {}
    for group in cloud.client("elbv2").describe_target_groups()["TargetGroups"]:
        [owner] = [
            component
            for component in stages.COMPONENTS
            if group["TargetGroupName"] == names.target_group(options, component)
            or group["TargetGroupName"].startswith(f"{names.target_group(options, component)}-")
        ]
        found[group["TargetGroupArn"]] = owner
    return found
