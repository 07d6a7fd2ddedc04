"""Listener rules, generated from `routes.toml`, the only source of routes.

Each rule forwards to both target groups of its component, at every deployment strategy: ECS shifts
the weights between them, and a change of strategy leaves the rule as it is. Blue-green adds a rule
for test traffic. Nothing in a rule depends on the revision or the strategy. A change of a rule
would write the template's weights over those that ECS has shifted
(docs/adr/0051-strategies-in-place.md). A move of a domain changes its rule, and therefore needs
rolling deployments (docs/adr/0052-moves-on-ecs.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from aws_cdk import aws_elasticloadbalancingv2 as elb
from constructs import Construct

from infra.gateway.routes import load

RESERVED_PRIORITY = 40_000
# No host name ends in .invalid (RFC 2606), and no client has an address in a network reserved for
# documentation (RFC 5737).
RESERVED_HOST, RESERVED_ADDRESS = "invalid", "192.0.2.1/32"
# The monolith's rule, after all others: ECS can't shift the weights of a listener's default action.
CATCH_ALL = 49_999
TEST_HEADER, TEST_VALUE = "X-Test-Traffic", "yes"
"""The header, and its value, of requests to the new revision of a blue-green deployment."""


@dataclass(frozen=True)
class TargetGroups:
    """The two target groups of a component, whose tasks begin in the blue one."""

    blue: elb.IApplicationTargetGroup
    green: elb.IApplicationTargetGroup


@dataclass(frozen=True)
class Rule:
    """A route as a listener rule, with patterns for a path and everything below it."""

    priority: int
    patterns: tuple[str, ...]
    component: str

    @property
    def construct_id(self) -> str:
        """Return the rule's id in its stack, which follows from its path alone."""
        return "Route" + self.patterns[0].title().translate({ord(each): None for each in "/-_*"})


def rules() -> Iterator[Rule]:
    """Yield the rules of all routes, with priorities that are the same at every stage."""
    for route in load().routes:
        yield Rule(route.priority, (route.prefix, f"{route.prefix}/*"), route.component)


def component_rules(
    scope: Construct,
    *,
    component: str,
    listener: elb.IApplicationListener,
    action: elb.ListenerAction,
) -> list[elb.ApplicationListenerRule]:
    """Create the rules of a component's paths; the monolith's matches all remaining ones."""
    return [
        elb.ApplicationListenerRule(
            scope,
            rule.construct_id,
            listener=listener,
            priority=rule.priority,
            conditions=[elb.ListenerCondition.path_patterns(list(rule.patterns))],
            action=action,
        )
        for rule in _rules_of(component)
    ]


def rule_for_test_traffic(
    scope: Construct, *, component: str, listener: elb.IApplicationListener, groups: TargetGroups
) -> elb.ApplicationListenerRule:
    """Create the rule of a component's test traffic, right before that of its path.

    ECS shifts this rule to the new revision before it shifts the other one.
    """
    (rule,) = _rules_of(component)
    return elb.ApplicationListenerRule(
        scope,
        "TestTraffic",
        listener=listener,
        priority=rule.priority - 1,
        conditions=[
            elb.ListenerCondition.path_patterns(list(rule.patterns)),
            elb.ListenerCondition.http_header(TEST_HEADER, [TEST_VALUE]),
        ],
        action=forward(groups),
    )


def _rules_of(component: str) -> list[Rule]:
    mine = [rule for rule in rules() if rule.component == component]
    return mine or [Rule(CATCH_ALL, ("/*",), component)]


def reserve_target_groups(
    scope: Construct, *, component: str, listener: elb.IApplicationListener, groups: TargetGroups
) -> elb.ApplicationListenerRule:
    """Attach target groups to the load balancer without sending them requests.

    ECS requires that, and the rules of the paths come only after the tasks are healthy.
    """
    (first, *_) = sorted(rule.priority for rule in rules() if rule.component == component)
    return elb.ApplicationListenerRule(
        scope,
        "Reserved",
        listener=listener,
        priority=RESERVED_PRIORITY + first,
        conditions=[
            elb.ListenerCondition.host_headers([f"{component}.{RESERVED_HOST}"]),
            elb.ListenerCondition.source_ips([RESERVED_ADDRESS]),
        ],
        action=forward(groups),
    )


def forward(groups: TargetGroups) -> elb.ListenerAction:
    """Return the action that sends all requests to the blue group, where a service begins."""
    return elb.ListenerAction.weighted_forward(
        [
            elb.WeightedTargetGroup(target_group=groups.blue, weight=100),
            elb.WeightedTargetGroup(target_group=groups.green, weight=0),
        ]
    )
