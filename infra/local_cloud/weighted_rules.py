"""Weighted target groups at MiniStack's load balancer, and alarms on what the targets respond.

MiniStack forwards to the first target group of a rule, accepts two rules of one priority, and
refuses alarms of several metrics. `install` adds what is missing. Alarms are evaluated from the
load balancer's own counts, because MiniStack publishes none of its metrics.
"""

import random
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from ministack.services import alb
from ministack.services.cloudformation import provisioners

from infra.local_cloud.emulated import MINUTE_SECONDS

Action = dict[str, Any]

FAILED = "HTTPCode_Target_5XX_Count"
KEPT = 10_000
"""The last failed responses of a target group that are remembered."""

_failures: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
_alarms: dict[str, dict[str, Any]] = {}

# The original functions.
_handlers = provisioners._RESOURCE_HANDLERS
_alarm = _handlers["AWS::CloudWatch::Alarm"]
_rule = _handlers["AWS::ElasticLoadBalancingV2::ListenerRule"]
_create_alarm, _update_alarm = _alarm["create"], _alarm["update"]
_create_rule = _rule["create"]
_template_actions, _request_actions = provisioners._elbv2_listener_actions, alb._parse_actions
_action_xml, _execute, _forward = alb._action_xml, alb._execute_action, alb._forward_to_tg


def template_actions(
    props: Mapping[str, Any], balancer: str | None, prop: str = "DefaultActions"
) -> list[Action]:
    """Keep the target groups and weights of a template's actions."""
    found: list[Action] = _template_actions(props, balancer, prop=prop)
    for action, given in zip(found, props.get(prop) or [], strict=True):
        if groups := _groups(given):
            action["ForwardConfig"] = _forward_config(
                {each["TargetGroupArn"]: int(each.get("Weight", 1)) for each in groups}
            )
    return found


def request_actions(params: Mapping[str, Any], prefix: str = "DefaultActions") -> list[Action]:
    """Keep the target groups and weights of the actions in a request."""
    found: list[Action] = _request_actions(params, prefix)
    for number, action in enumerate(found, start=1):
        shares: dict[str, int] = {}
        place = f"{prefix}.member.{number}.ForwardConfig.TargetGroups.member"
        while arn := alb._p(params, f"{place}.{len(shares) + 1}.TargetGroupArn"):
            shares[arn] = int(alb._p(params, f"{place}.{len(shares) + 1}.Weight", "1"))
        if shares:
            action["ForwardConfig"] = _forward_config(shares)
    return found


def action_xml(action: Action) -> str:
    """Describe an action with its weights, as AWS without the one target group of other actions."""
    groups = _groups(action)
    hidden = {"TargetGroupArn"} if groups else set()
    shown: str = _action_xml({key: value for key, value in action.items() if key not in hidden})
    members = "".join(
        f"<member><TargetGroupArn>{each['TargetGroupArn']}</TargetGroupArn>"
        f"<Weight>{each['Weight']}</Weight></member>"
        for each in groups
    )
    forward = f"<ForwardConfig><TargetGroups>{members}</TargetGroups></ForwardConfig>"
    return shown.removesuffix("</member>") + (forward if groups else "") + "</member>"


def choose(action: Action) -> Action:
    """Return the forward to one target group, chosen by the weights; other actions as they are."""
    groups = _groups(action)
    weights = [each["Weight"] for each in groups]
    if not any(weights):
        return action
    (chosen,) = random.choices(groups, weights)  # noqa: S311 - not a secret
    return {"Type": "forward", "TargetGroupArn": chosen["TargetGroupArn"]}


async def execute(action: Action, *request: Any) -> Any:
    """Choose the target group of a request."""
    return await _execute(choose(action), *request)


async def forward(group: str, *request: Any) -> Any:
    """Count the failed responses of a target group's targets."""
    response = await _forward(group, *request)
    # What the load balancer says itself, as to a group without targets, is no target's response.
    if response[0] >= 500 and alb._targets.get(group):
        _failures[_full_name(group)].append(time.monotonic())
    return response


def create_rule(logical_id: str, props: dict[str, Any], stack: str) -> Any:
    """Refuse a priority that another rule of the listener has."""
    wanted = (props["ListenerArn"], str(props["Priority"]))
    if wanted in {(rule["ListenerArn"], rule["Priority"]) for rule in alb._rules.values()}:
        msg = f"PriorityInUse: Priority '{wanted[1]}' is currently in use"
        raise ValueError(msg)
    return _create_rule(logical_id, props, stack)


def create_alarm(logical_id: str, props: dict[str, Any], stack: str) -> Any:
    """Accept an alarm of several metrics, and remember every alarm's definition."""
    name = props["AlarmName"]
    _alarms[name] = props
    if "Metrics" not in props:
        return _create_alarm(logical_id, props, stack)
    return name, {"Arn": name}


def update_alarm(physical_id: str, old: dict[str, Any], new: dict[str, Any], *more: Any) -> Any:
    """Update such an alarm."""
    if "Metrics" in new or "Metrics" in old:
        return create_alarm(physical_id, new, "")
    _alarms[new["AlarmName"]] = new
    return _update_alarm(physical_id, old, new, *more)


def is_raised(alarm: str) -> bool:
    """Return whether an alarm on failed responses of targets is raised; other alarms never are.

    A period of one minute takes `MINUTE_SECONDS`. The sum over the alarm's target groups is
    compared with its threshold.
    """
    props = _alarms.get(alarm, {})
    stats = [each["MetricStat"] for each in props.get("Metrics", ()) if "MetricStat" in each]
    metrics = [each["Metric"] for each in stats]
    groups = [
        dimension["Value"]
        for metric in metrics or [props]
        if metric.get("MetricName") == FAILED
        for dimension in metric["Dimensions"]
        if dimension["Name"] == "TargetGroup"
    ]
    if not groups:
        return False
    now = time.monotonic()
    sums: defaultdict[int, int] = defaultdict(int)
    for group in groups:
        for moment in tuple(_failures[group]):
            sums[int((now - moment) // MINUTE_SECONDS)] += 1
    evaluated = int(props.get("EvaluationPeriods", 1))
    above = sum(sums[period] > float(props["Threshold"]) for period in range(evaluated))
    return above >= int(props.get("DatapointsToAlarm", evaluated))


def weights(rule: str) -> dict[str, int]:
    """Return the weight of each target group of a rule."""
    (action,) = alb._rules[rule]["Actions"]
    return {each["TargetGroupArn"]: each["Weight"] for each in _groups(action)}


def set_weights(rule: str, shares: Mapping[str, int]) -> None:
    """Change the weights of a rule's target groups."""
    (action,) = alb._rules[rule]["Actions"]
    alb._rules[rule]["Actions"] = [action | {"ForwardConfig": _forward_config(shares)}]


def _groups(action: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the target groups of an action; none if it names a single one or is no forward."""
    found: list[dict[str, Any]] = (action.get("ForwardConfig") or {}).get("TargetGroups", [])
    return found


def _forward_config(shares: Mapping[str, int]) -> dict[str, Any]:
    """Return target groups and their weights in the form of AWS."""
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in shares.items()]
    return {"TargetGroups": groups}


def _full_name(group: str) -> str:
    name: str = alb._target_group_full_name_from_arn(group)
    return name


def install() -> None:
    """Install all patches."""
    provisioners._elbv2_listener_actions = template_actions
    alb._parse_actions = request_actions
    alb._action_xml = action_xml
    alb._execute_action, alb._forward_to_tg = execute, forward
    _rule["create"] = create_rule
    _alarm["create"], _alarm["update"] = create_alarm, update_alarm
