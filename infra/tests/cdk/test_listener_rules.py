"""Listener rules by themselves: their ids, priorities and the weights of their target groups."""

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk.assertions import Template

from infra.cdk.constructs import listener_rules
from infra.gateway import routes
from infra.gateway.routes import Route, Routes

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"
BLUE, GREEN = (f"{ARN}targetgroup/{colour}/1" for colour in ("blue", "green"))
ROUTES = (Route("/a", "one", 7), Route("/b", "two", 3), Route("/b/c-d", "two", 2))
RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"


@pytest.fixture(autouse=True)
def _routes(monkeypatch: pytest.MonkeyPatch) -> None:
    write_routes(monkeypatch, *ROUTES)


def write_routes(monkeypatch: pytest.MonkeyPatch, *written: Route) -> None:
    monkeypatch.setattr(listener_rules, "load", lambda: Routes(written, "monolith"))


def create_rules(component: str, *, reserved: bool = False) -> dict[str, dict[str, Any]]:
    """Create a component's rules, or its reserved one; return their properties by logical id."""
    stack = Stack(App(), "Rules")
    blue, green = (
        elb.ApplicationTargetGroup.from_target_group_attributes(stack, arn, target_group_arn=arn)
        for arn in (BLUE, GREEN)
    )
    listener = elb.ApplicationListener.from_application_listener_attributes(
        stack,
        "Listener",
        listener_arn=f"{ARN}listener/app/edge/1/2",
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1"),
    )
    groups = listener_rules.TargetGroups(blue, green)
    if reserved:
        listener_rules.reserve_target_groups(
            stack, component=component, listener=listener, groups=groups
        )
    else:
        action = listener_rules.forward(groups)
        listener_rules.component_rules(stack, component=component, listener=listener, action=action)
    found = Template.from_stack(stack).find_resources(RULE)
    return {logical_id: dict(each["Properties"]) for logical_id, each in found.items()}


def test_priorities_are_those_of_the_routes() -> None:
    assert [rule.priority for rule in listener_rules.rules()] == [7, 3, 2]


@pytest.mark.parametrize(
    ("component", "priority", "paths"), [("one", 7, ["/a", "/a/*"]), ("monolith", 49_999, ["/*"])]
)
def test_rule_forwards_to_blue_at_first(component: str, priority: int, paths: list[str]) -> None:
    (rule,) = create_rules(component).values()
    assert rule["Priority"] == priority
    (condition,) = rule["Conditions"]
    assert condition["PathPatternConfig"]["Values"] == paths
    (action,) = rule["Actions"]
    assert action["ForwardConfig"]["TargetGroups"] == [
        {"TargetGroupArn": BLUE, "Weight": 100},
        {"TargetGroupArn": GREEN, "Weight": 0},
    ]


def test_inserted_route_changes_no_other_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    before = create_rules("two")
    assert len(before) == 2
    write_routes(monkeypatch, Route("/c", "two", 5), *ROUTES)
    after = create_rules("two")
    assert len(after) == 3
    assert before.items() <= after.items()


@pytest.mark.parametrize(("component", "priority"), [("one", 40_007), ("two", 40_002)])
def test_reserved_rule_comes_after_all_routes(component: str, priority: int) -> None:
    (rule,) = create_rules(component, reserved=True).values()
    assert rule["Priority"] == priority
    assert listener_rules.RESERVED_PRIORITY > routes.LAST_PRIORITY
    assert listener_rules.RESERVED_PRIORITY + routes.LAST_PRIORITY < listener_rules.CATCH_ALL


def route(prefix: str, priority: object) -> str:
    return f"[[route]]\nprefix = '{prefix}'\ncomponent = 'posts'\npriority = {priority}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (route("/a", 2) + route("/b", 2), "more than one route has the priority 2"),
        (route("/a", 2) + route("/a", 4), "more than one route has the prefix /a"),
        (route("/a", 2) + route("/b", 3), "the number before the priority of /b is not free"),
        (route("/a", 1), "the priority of /a is a number from 2 to 9000, not 1"),
        (route("/a", 9001), "from 2 to 9000, not 9001"),
        (route("/a", "'2'"), "from 2 to 9000, not '2'"),
        (route("/a/", 2), "a prefix starts with a slash and ends without: '/a/'"),
        (route("a", 2), "a prefix starts with a slash and ends without: 'a'"),
    ],
)
def test_impossible_routes_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "routes.toml"
    file.write_text(f"default = 'monolith'\n{text}", encoding="utf-8")
    with pytest.raises(ValueError, match=f"^routes.toml: .*{reason}"):
        routes.load(file)
