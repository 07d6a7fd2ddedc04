"""Listener rules by themselves: their priorities and the weights of their target groups."""

from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk.assertions import Template

from infra.cdk.constructs import listener_rules
from infra.gateway.routes import Route, Routes

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"
BLUE, GREEN = (f"{ARN}targetgroup/{colour}/1" for colour in ("blue", "green"))
ROUTES = Routes((Route("/a", "one"), Route("/b", "two"), Route("/c", "two")), "monolith")


@pytest.fixture(autouse=True)
def _routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_rules, "load", lambda: ROUTES)


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Rules")


def weighted_rule(stack: Stack, component: str) -> dict[str, Any]:
    """Create a weighted rule, and return its properties in the template."""
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
    listener_rules.weighted_rule(
        stack, component=component, listener=listener, blue=blue, green=green
    )
    return only_rule(stack)


def only_rule(stack: Stack) -> dict[str, Any]:
    """Return the properties of the stack's only rule."""
    kind = "AWS::ElasticLoadBalancingV2::ListenerRule"
    (found,) = Template.from_stack(stack).find_resources(kind).values()
    properties: dict[str, Any] = found["Properties"]
    return properties


def test_priorities_are_those_of_deployed_rules() -> None:
    """CloudFormation changes one rule after another; two can't have one priority meanwhile."""
    assert [rule.priority for rule in listener_rules.rules()] == [10, 20, 30]


@pytest.mark.parametrize(
    ("component", "priority", "paths"), [("one", 10, ["/a", "/a/*"]), ("monolith", 49_999, ["/*"])]
)
def test_weighted_rule_forwards_to_blue_at_first(
    stack: Stack, component: str, priority: int, paths: list[str]
) -> None:
    rule = weighted_rule(stack, component)
    assert rule["Priority"] == priority
    (condition,) = rule["Conditions"]
    assert condition["PathPatternConfig"]["Values"] == paths
    (action,) = rule["Actions"]
    assert action["ForwardConfig"]["TargetGroups"] == [
        {"TargetGroupArn": BLUE, "Weight": 100},
        {"TargetGroupArn": GREEN, "Weight": 0},
    ]


def test_weighted_rule_of_several_routes_is_refused(stack: Stack) -> None:
    with pytest.raises(ValueError, match="two has 2 routes"):
        weighted_rule(stack, "two")


@pytest.mark.parametrize(("component", "priority"), [("one", 40_000), ("two", 40_001)])
def test_reserved_rule_comes_after_all_routes(stack: Stack, component: str, priority: int) -> None:
    listener_rules.reserve_target_group(
        stack, component=component, listener="listener", target_group="group"
    )
    assert only_rule(stack)["Priority"] == priority
