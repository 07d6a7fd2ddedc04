"""Listener rules, generated from `routes.toml`, the only source of routes.

A service's rule is created once the service's tasks are healthy, and deleted before they stop;
otherwise its paths belong to the monolith. ECS requires that the target group is attached to the
load balancer before that, so there is a second rule that no request can match.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from aws_cdk import aws_elasticloadbalancingv2 as elb
from constructs import Construct

from infra.gateway.routes import load

STEP = 10
# After all routes. No host name ends in .invalid (RFC 2606), and no client has an address in a
# network reserved for documentation (RFC 5737).
RESERVED_PRIORITY = 40_000
RESERVED_HOST, RESERVED_ADDRESS = "invalid", "192.0.2.1/32"
# With weighted strategies, the monolith's requests need their own rule, after all others.
CATCH_ALL = 49_999


@dataclass(frozen=True)
class Rule:
    """A route as a listener rule, with patterns for a path and everything below it."""

    priority: int
    patterns: tuple[str, ...]
    component: str


def rules() -> Iterator[Rule]:
    """Yield the rules of all routes, with priorities that are the same at every stage."""
    for place, route in enumerate(load().routes, start=1):
        yield Rule(place * STEP, (route.prefix, f"{route.prefix}/*"), route.component)


def component_rules(
    scope: Construct, *, component: str, listener: str, target_group: str
) -> list[elb.CfnListenerRule]:
    """Create the rules of a component's paths."""
    return [
        elb.CfnListenerRule(
            scope,
            f"Route{rule.priority}",
            listener_arn=listener,
            priority=rule.priority,
            conditions=[
                elb.CfnListenerRule.RuleConditionProperty(
                    field="path-pattern",
                    path_pattern_config=elb.CfnListenerRule.PathPatternConfigProperty(
                        values=list(rule.patterns)
                    ),
                )
            ],
            actions=_forward(target_group),
        )
        for rule in rules()
        if rule.component == component
    ]


def weighted_rule(
    scope: Construct,
    *,
    component: str,
    listener: elb.IApplicationListener,
    blue: elb.IApplicationTargetGroup,
    green: elb.IApplicationTargetGroup,
) -> elb.ApplicationListenerRule:
    """Create the rule between whose target groups ECS shifts the weights.

    The monolith's rule matches all remaining paths: ECS can't shift weights of a default action.

    Raises:
        ValueError: the component has several routes, and ECS could shift only one.
    """
    mine = [rule for rule in rules() if rule.component == component]
    only, *others = mine or [Rule(CATCH_ALL, ("/*",), component)]
    if others:
        msg = f"{component} has {len(mine)} routes; a strategy with weights takes one"
        raise ValueError(msg)
    return elb.ApplicationListenerRule(
        scope,
        f"Route{only.priority}",
        listener=listener,
        priority=only.priority,
        conditions=[elb.ListenerCondition.path_patterns(list(only.patterns))],
        action=elb.ListenerAction.weighted_forward(
            [
                elb.WeightedTargetGroup(target_group=blue, weight=100),
                elb.WeightedTargetGroup(target_group=green, weight=0),
            ]
        ),
    )


def reserve_target_group(
    scope: Construct, *, component: str, listener: str, target_group: str
) -> elb.CfnListenerRule:
    """Attach a target group to the load balancer without sending it requests."""
    place = [rule.component for rule in rules()].index(component)
    return elb.CfnListenerRule(
        scope,
        "Held",
        listener_arn=listener,
        priority=RESERVED_PRIORITY + place,
        conditions=[
            elb.CfnListenerRule.RuleConditionProperty(
                field="host-header",
                host_header_config=elb.CfnListenerRule.HostHeaderConfigProperty(
                    values=[f"{component}.{RESERVED_HOST}"]
                ),
            ),
            elb.CfnListenerRule.RuleConditionProperty(
                field="source-ip",
                source_ip_config=elb.CfnListenerRule.SourceIpConfigProperty(
                    values=[RESERVED_ADDRESS]
                ),
            ),
        ],
        actions=_forward(target_group),
    )


def _forward(target_group: str) -> list[elb.CfnListenerRule.ActionProperty]:
    return [elb.CfnListenerRule.ActionProperty(type="forward", target_group_arn=target_group)]
