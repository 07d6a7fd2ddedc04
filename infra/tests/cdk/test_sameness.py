"""Names, ports and health paths are the same in templates, images, Compose and code."""

import json
import re
import tomllib
from typing import Any

import pytest
import yaml

from chassis import healthcheck
from chassis.http.gunicorn_conf import graceful_timeout, keepalive
from chassis.messaging import subscriptions
from infra import ministack, stages
from infra.cdk import components
from infra.cdk.options import PRODUCTION
from infra.cdk.stacks import data, load_balancer
from infra.domains import SERVICES
from infra.runner.config import ROOT, worker_name
from infra.tests.cdk.templates import Templates, settings, templates

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
FULL = templates()


def image_of(component: str) -> str:
    return (ROOT / components.dockerfile(component)).read_text(encoding="utf-8")


def target_groups(component: str) -> list[dict[str, Any]]:
    """Return a component's blue and green target groups."""
    groups = {each["Name"]: each for each in FULL.all("AWS::ElasticLoadBalancingV2::TargetGroup")}
    return [groups[f"forum-{component}{colour}"] for colour in ("", "-green")]


@pytest.mark.parametrize("name", stages.COMPONENTS)
def test_port_is_the_same_everywhere(name: str) -> None:
    container = FULL.container(name)
    (mapping,) = container["PortMappings"]
    ports = [group["Port"] for group in target_groups(name)]
    assert len(ports) == 2
    (balanced,) = FULL.service(name)["LoadBalancers"]
    assert {
        mapping["ContainerPort"],
        *ports,
        balanced["ContainerPort"],
        int(settings(container)["PORT"]),
        int(healthcheck.PORT),
    } == {components.PORT}
    assert f"EXPOSE {components.PORT}\n" in image_of(name)
    assert balanced["ContainerName"] == name


@pytest.mark.parametrize("name", stages.COMPONENTS)
def test_health_check_is_the_same_everywhere(name: str) -> None:
    paths = {group["HealthCheckPath"] for group in target_groups(name)}
    assert paths == {components.READY} == {healthcheck.PATH}
    (configured,) = re.findall(r"^HEALTHCHECK .* CMD (.*)$", image_of(name), re.MULTILINE)
    # Compose starts containers that need this one once it is ready, and restarts none.
    assert ("CMD", *json.loads(configured)) == components.SHELL
    # ECS replaces a task whose check fails, so it asks whether the process lives.
    command = FULL.container(name)["HealthCheck"]["Command"]
    assert command == [*components.SHELL, str(components.PORT), "/healthz"]


@pytest.mark.parametrize("name", stages.COMPONENTS)
def test_name_is_the_same_everywhere(name: str) -> None:
    connect = FULL.service(name)["ServiceConnectConfiguration"]
    assert connect["Namespace"] == FULL.one("AWS::ServiceDiscovery::HttpNamespace")["Name"]
    (offered,) = connect["Services"]
    (mapping,) = FULL.container(name)["PortMappings"]
    assert offered["PortName"] == mapping["Name"]
    (alias,) = offered["ClientAliases"]
    assert f"http://{alias['DnsName']}:{alias['Port']}" == components.address(name)
    service = COMPOSE["services"][name]
    assert alias["DnsName"] in service["networks"]["front"]["aliases"]
    assert name in {entry["component"] for entry in _routes()} | {stages.MONOLITH}


@pytest.mark.parametrize("name", stages.COMPONENTS)
def test_worker_runs_the_same_command_as_in_compose(name: str) -> None:
    program = worker_name(name)
    container = FULL.container(program)
    assert container["Command"] == COMPOSE["services"][program]["command"]
    assert container["HealthCheck"]["Command"] == [*components.SHELL, "--heartbeat"]
    assert settings(container)["HEARTBEAT_FILE"] == components.HEARTBEAT_FILE
    assert "PortMappings" not in container


def test_peers_are_found_where_their_domain_is_owned() -> None:
    for extracted in ("posts", "threads,posts", "users,threads,posts"):
        configured = settings(templates(extracted=extracted).container("posts"))
        owner = "threads" if "threads" in extracted else stages.MONOLITH
        assert configured["THREADS_URL"] == f"http://{owner}.forum.local:8080"
    assert settings(FULL.container("users"))["REPLICA_HOLDERS"] == "monolith,threads,posts"
    assert settings(FULL.container(stages.MONOLITH))["EXTRACTED"] == "users,threads,posts"


def test_monolith_alone_has_no_tables_and_no_subscriptions() -> None:
    alone = templates(extracted="")
    assert {s["ServiceName"] for s in alone.all("AWS::ECS::Service")} == {stages.MONOLITH}
    assert not list(alone.all("AWS::SNS::Subscription"))
    assert not list(alone.all("AWS::DynamoDB::Table"))


def test_tables_are_the_services_own() -> None:
    found = {each["TableName"]: each for each in FULL.all("AWS::DynamoDB::Table", "data")}
    wanted = {}
    for service in stages.DOMAINS:
        for table in SERVICES[service].tables:
            wanted[ministack.PREFIX + table.name] = table
    assert found.keys() == wanted.keys()
    for name, table in wanted.items():
        asked, made = table.create_arguments(ministack.PREFIX), found[name]
        assert made["KeySchema"] == asked["KeySchema"]
        assert made["BillingMode"] == asked["BillingMode"]
        by_name = sorted(made["AttributeDefinitions"], key=lambda each: str(each["AttributeName"]))
        assert by_name == asked["AttributeDefinitions"]
        assert made.get("GlobalSecondaryIndexes", []) == asked.get("GlobalSecondaryIndexes", [])
        if table.ttl_attribute:
            ttl = {"AttributeName": table.ttl_attribute, "Enabled": True}
            assert made["TimeToLiveSpecification"] == ttl
        else:
            assert "TimeToLiveSpecification" not in made


@pytest.mark.parametrize("extracted", ["users", "threads,posts", "users,threads,posts"])
def test_queues_and_filters_are_the_components_own(extracted: str) -> None:
    made = templates(extracted=extracted)
    queues = {each["QueueName"]: each for each in made.all("AWS::SQS::Queue")}
    filters = [each["FilterPolicy"] for each in made.all("AWS::SNS::Subscription")]
    for wanted in data.wanted(made.options):
        queue = queues.pop(wanted.queue_name(ministack.PREFIX))
        assert queue["VisibilityTimeout"] == subscriptions.VISIBILITY_SECONDS
        assert queue["MessageRetentionPeriod"] == subscriptions.RETENTION_SECONDS
        assert queue["RedrivePolicy"]["maxReceiveCount"] == subscriptions.MAX_RECEIVES
        dead = queues.pop(wanted.dead_letter_queue_name(ministack.PREFIX))
        assert dead["MessageRetentionPeriod"] == subscriptions.DEAD_RETENTION_SECONDS
        filters.remove(wanted.filter_policy())
    # The others wait for their stage, without a subscription.
    others = set(stages.COMPONENTS) - {one.component for one in data.wanted(made.options)}
    assert queues.keys() == {
        name
        for one in (subscriptions.Subscription(each, ()) for each in others)
        for name in (
            one.queue_name(ministack.PREFIX),
            one.dead_letter_queue_name(ministack.PREFIX),
        )
    }
    assert not filters
    assert all(each["RawMessageDelivery"] for each in made.all("AWS::SNS::Subscription"))


@pytest.mark.parametrize("environment", ["lab", PRODUCTION])
def test_task_has_time_to_shut_down(environment: str) -> None:
    made: Templates = templates(environment=environment)
    programs = [service["ServiceName"] for service in made.all("AWS::ECS::Service")]
    for program in programs:
        for container in made.task(program)["ContainerDefinitions"]:
            drain = int(settings(container)["DRAIN_SECONDS"])
            assert container["StopTimeout"] > drain + graceful_timeout
    for group in made.all("AWS::ElasticLoadBalancingV2::TargetGroup"):
        configured = {each["Key"]: each["Value"] for each in group["TargetGroupAttributes"]}
        assert int(configured["deregistration_delay.timeout_seconds"]) >= graceful_timeout
    balancer = made.one("AWS::ElasticLoadBalancingV2::LoadBalancer")
    configured = {each["Key"]: each["Value"] for each in balancer["LoadBalancerAttributes"]}
    assert int(configured["idle_timeout.timeout_seconds"]) == load_balancer.IDLE_SECONDS < keepalive


def _routes() -> list[dict[str, str]]:
    text = (ROOT / "infra/gateway/routes.toml").read_text(encoding="utf-8")
    found: list[dict[str, str]] = tomllib.loads(text)["route"]
    return found
