"""The stage in which domains move: services without paths, the movers, and what comes after."""

from typing import Any

import pytest

from forum.domains import subscription as monolith_subscription
from infra import stages
from infra.cdk.components import MOVING, mover
from infra.cdk.options import OptionsError, read_options
from infra.domains import SERVICES
from infra.runner.config import worker_name
from infra.tests.cdk.templates import Templates, settings, templates, texts
from infra.tests.cdk.test_permissions import granted, table_actions

RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
BEFORE = templates(extracted="", moving="users,threads,posts")
BACK = templates(extracted="users,threads,posts", moving="users,threads,posts")
AFTER = templates()
APIS = {"ecs", "elasticloadbalancing"}
RUN = {"TaskDefinition", "Subnets", "SecurityGroup", "PublicAddress"}


def route(made: Templates, domain: str) -> tuple[str, dict[str, Any]]:
    """Return the id and the properties of the rule of a domain's path."""
    ((found, resource),) = (
        (logical_id, resource)
        for logical_id, resource in made.stack(domain)["Resources"].items()
        if resource["Type"] == RULE and f"/api/{domain}" in str(resource["Properties"])
    )
    return found, resource["Properties"]


def receivers(rule: dict[str, Any]) -> list[tuple[str, int]]:
    (action,) = rule["Actions"]
    groups = action["ForwardConfig"]["TargetGroups"]
    return [(texts(each["TargetGroupArn"]), each["Weight"]) for each in groups]


@pytest.mark.parametrize("domain", stages.DOMAINS)
def test_rule_exists_first_and_leads_to_the_owner_before_the_move(domain: str) -> None:
    logical_id, before = route(BEFORE, domain)
    ((group, weight),) = receivers(before)
    assert "Monolith" in group
    assert weight == 100
    for made in (BACK, AFTER):
        same, after = route(made, domain)
        assert same == logical_id
        assert receivers(after) == [("Targets", 100), ("Green", 0)]
        assert after["Priority"] == before["Priority"]


@pytest.mark.parametrize("made", [BEFORE, BACK], ids=["before", "back"])
@pytest.mark.parametrize("domain", stages.DOMAINS)
def test_all_components_follow_the_owner(made: Templates, domain: str) -> None:
    service = settings(made.container(domain))
    assert service["LIVE_EXTRACTION"] == "true"
    assert service["GATEWAY_URL"] == "http://monolith.forum.local:8080"
    # On the way back, the service is the owner.
    assert service.get("OWNED_ELSEWHERE") == ("true" if made is BEFORE else None)
    monolith = settings(made.container(stages.MONOLITH))
    assert monolith["LIVE_EXTRACTION"] == "true"
    assert monolith[f"{domain.upper()}_URL"] == f"http://{domain}.forum.local:8080"
    assert "GATEWAY_URL" not in settings(AFTER.container(domain))
    assert "LIVE_EXTRACTION" not in settings(AFTER.container(domain))


def test_services_find_a_domain_at_the_monolith_which_forwards() -> None:
    assert settings(BEFORE.container("posts"))["THREADS_URL"] == "http://monolith.forum.local:8080"
    assert settings(BEFORE.container(stages.MONOLITH))["FORWARDED"] == "users,threads,posts"
    # On the way back, the service forwards.
    assert settings(BACK.container("posts"))["THREADS_URL"] == "http://threads.forum.local:8080"
    assert settings(BACK.container(stages.MONOLITH))["FORWARDED"] == "users,threads,posts"


@pytest.mark.parametrize("made", [BEFORE, BACK], ids=["before", "back"])
def test_both_owners_of_users_sign_sessions(made: Templates) -> None:
    for component in (stages.MONOLITH, "users"):
        secrets = {
            each["Name"]: texts(each["ValueFrom"]) for each in made.container(component)["Secrets"]
        }
        assert f":{component}_session_private_key::" in secrets["SESSION_PRIVATE_KEY"]


@pytest.mark.parametrize("domain", stages.DOMAINS)
def test_a_move_alone_scales_the_worker(domain: str) -> None:
    for made, scaled in ((BEFORE, 1), (BACK, 1), (AFTER, 2)):
        # A number in the template would be set again by each deployment.
        assert "DesiredCount" not in made.service(worker_name(domain))
        assert len(list(made.all("AWS::ApplicationAutoScaling::ScalableTarget", domain))) == scaled


def test_monolith_gets_events_of_both_owners() -> None:
    found = {texts(each["Endpoint"]): each for each in BEFORE.all("AWS::SNS::Subscription")}
    assert len(found) == len(stages.COMPONENTS)
    (monolith,) = (each for name, each in found.items() if name.startswith("Monolith"))
    both = monolith_subscription(frozenset(), frozenset(stages.DOMAINS))
    assert monolith["FilterPolicy"] == both.filter_policy()


@pytest.mark.parametrize("domain", stages.DOMAINS)
def test_mover_reaches_both_ends_and_nothing_else(domain: str) -> None:
    tables, worker, route_, look = granted(BEFORE, domain, "MoverRole.*")
    assert tables[1] == table_actions() | {"dynamodb:BatchWriteItem", "dynamodb:Scan"}
    wanted = [one.name for service in SERVICES.values() for one in service.tables]
    named = {each.partition(":table/forum-")[2].partition("/index/")[0] for each in tables[2]}
    assert named == {*wanted}
    assert worker[1] == {"ecs:UpdateService"}
    assert [each.endswith(f":service/forum/{worker_name(domain)}") for each in worker[2]] == [True]
    assert route_[1:] == ({"elasticloadbalancing:ModifyRule"}, [route(BEFORE, domain)[0]])
    assert look[1] == {
        "ecs:DescribeTasks",
        "ecs:ListTasks",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeTargetHealth",
    }
    task = BEFORE.container(mover(domain))
    assert [each["Name"] for each in task["Secrets"]] == ["PGPASSWORD"]
    assert "//forum_app@" in texts(settings(task)["DATABASE_URL"])


def test_monolith_says_last_that_domains_may_move() -> None:
    outputs = BEFORE.stack(stages.MONOLITH)["Outputs"]
    assert outputs[MOVING]["Value"] == "users,threads,posts"
    assert MOVING not in AFTER.stack(stages.MONOLITH)["Outputs"]


def test_command_finds_out_how_to_run_the_mover() -> None:
    outputs = BEFORE.stack("users")["Outputs"].keys()
    assert {f"Mover{name}" for name in RUN} <= outputs
    assert not any(name.startswith("Mover") for name in AFTER.stack("users")["Outputs"])


@pytest.mark.parametrize("moving", ["", "posts"])
def test_mover_reaches_apis_without_internet_access(moving: str) -> None:
    made = templates(extracted="", moving=moving, environment="production")
    services = {
        texts(each["ServiceName"]).rpartition(".")[2] for each in made.all("AWS::EC2::VPCEndpoint")
    }
    assert APIS & services == (APIS if moving else set())


def test_moves_need_rules_that_ecs_does_not_change() -> None:
    with pytest.raises(OptionsError, match="set strategy=rolling for moving"):
        read_options({"moving": "users", "strategy": "canary"})
    with pytest.raises(OptionsError, match="MOVING contains 'people'"):
        read_options({"moving": "people"})
