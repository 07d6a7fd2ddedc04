"""The live listener rules of a deployment, for programs without the CDK's library."""

from collections.abc import Mapping
from typing import Any

from infra import stages
from infra.gateway import routes

GREEN = "-green"
"""The end of the name of a component's second target group."""


def read_rules(balancer: Any, listener: str) -> dict[str, Mapping[str, Any]]:
    """Return the rule of each domain that has one, by its path; `balancer` is a client of elbv2."""
    pages = balancer.get_paginator("describe_rules").paginate(ListenerArn=listener)
    by_path = {
        path: rule
        for page in pages
        for rule in page["Rules"]
        for condition in rule["Conditions"]
        if condition["Field"] == "path-pattern"
        for path in condition.get("PathPatternConfig", condition)["Values"]
    }
    return {
        route.component: by_path[route.prefix]
        for route in routes.load().routes
        if route.prefix in by_path
    }


def heaviest_group(rule: Mapping[str, Any]) -> str:
    """Return the ARN of the target group with the most weight."""
    (action,) = rule["Actions"]
    groups = action["ForwardConfig"]["TargetGroups"]
    return str(max(groups, key=lambda each: each["Weight"])["TargetGroupArn"])


def component_of(group: str, name: str) -> str:
    """Return the component of a target group's ARN, in the deployment of this name.

    The group is called `forum-posts` or `forum-posts-green`.

    Raises:
        ValueError: it belongs to no component.
    """
    component = group.split("/")[-2].removeprefix(f"{name}-").removesuffix(GREEN)
    if component not in stages.COMPONENTS:
        msg = f"{group} is no target group of a component of {name}"
        raise ValueError(msg)
    return component


def owners(balancer: Any, listener: str, name: str) -> dict[str, str]:
    """Return the component to which each domain is routed."""
    found = dict.fromkeys(stages.DOMAINS, stages.MONOLITH)
    for domain, rule in read_rules(balancer, listener).items():
        found[domain] = component_of(heaviest_group(rule), name)
    return found
