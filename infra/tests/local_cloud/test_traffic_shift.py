"""Steps of deployment strategies, weighted target groups and alarms at the emulator."""

import time
from collections import Counter, deque
from typing import Any

import pytest
from ministack.services import alb

from infra.local_cloud import traffic_shift, weighted_rules
from infra.local_cloud.emulated import MINUTE_SECONDS

PREFIX = "arn:aws:elasticloadbalancing:eu-central-1:000000000000:targetgroup"
BLUE, GREEN = f"{PREFIX}/blue/1", f"{PREFIX}/green/2"
WEIGHTED = {
    "Type": "forward",
    "ForwardConfig": {
        "TargetGroups": [
            {"TargetGroupArn": BLUE, "Weight": 90},
            {"TargetGroupArn": GREEN, "Weight": 10},
        ]
    },
}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 10}, [(100, 10)]),
        (
            {
                "strategy": "CANARY",
                "bakeTimeInMinutes": 10,
                "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 5},
            },
            [(10, 5), (100, 10)],
        ),
        (
            {
                "strategy": "LINEAR",
                "linearConfiguration": {"stepPercent": 30.0, "stepBakeTimeInMinutes": 3},
            },
            [(30, 3), (60, 3), (90, 3), (100, 0)],
        ),
    ],
)
def test_strategy_has_its_steps(
    configuration: dict[str, Any], expected: list[tuple[int, float]]
) -> None:
    assert list(traffic_shift.steps(configuration)) == expected


def test_requests_are_spread_by_the_weights() -> None:
    asked = Counter(weighted_rules.choose(WEIGHTED)["TargetGroupArn"] for _ in range(2000))
    # Five standard deviations.
    assert abs(asked[GREEN] - 200) < 5 * (2000 * 0.1 * 0.9) ** 0.5
    assert asked[BLUE] + asked[GREEN] == 2000


def test_weights_are_kept_and_described() -> None:
    given = {
        "Actions.member.1.Type": "forward",
        "Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn": BLUE,
        "Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight": "90",
        "Actions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn": GREEN,
        "Actions.member.1.ForwardConfig.TargetGroups.member.2.Weight": "10",
    }
    (requested,) = weighted_rules.request_actions(given, "Actions")
    (templated,) = weighted_rules.template_actions({"Actions": [WEIGHTED]}, None, prop="Actions")
    assert requested["ForwardConfig"] == templated["ForwardConfig"] == WEIGHTED["ForwardConfig"]
    shown = weighted_rules.action_xml(requested)
    assert shown.count("<TargetGroupArn>") == 2
    assert f"<TargetGroupArn>{GREEN}</TargetGroupArn><Weight>10</Weight>" in shown


def test_priority_in_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(alb._rules, "a rule", {"ListenerArn": "one", "Priority": "300"})
    with pytest.raises(ValueError, match="PriorityInUse: Priority '300'"):
        weighted_rules.create_rule("Rule", {"ListenerArn": "one", "Priority": 300}, "stack")


def metric(name: str, group: str) -> dict[str, Any]:
    dimensions = [
        {"Name": "LoadBalancer", "Value": "app/forum/1"},
        {"Name": "TargetGroup", "Value": group},
    ]
    return {"MetricStat": {"Metric": {"MetricName": name, "Dimensions": dimensions}}}


@pytest.mark.parametrize(
    ("failures", "raised"),
    [
        # The seconds ago at which a response failed, per period: more than five, twice.
        ([0.5] * 6 + [1.5] * 6, True),
        ([0.5] * 6 + [1.5] * 5, False),
        ([0.5] * 6 + [2.5] * 6, True),
        ([0.5] * 6 + [3.5] * 6, False),
        ([], False),
    ],
)
def test_alarm_sums_the_failures_of_both_groups(
    monkeypatch: pytest.MonkeyPatch, failures: list[float], *, raised: bool
) -> None:
    now = time.monotonic()
    moments = [now - periods * MINUTE_SECONDS for periods in failures]
    halves = {"targetgroup/blue/1": moments[::2], "targetgroup/green/2": moments[1::2]}
    for group, half in halves.items():
        monkeypatch.setitem(weighted_rules._failures, group, deque(half))
    alarm = {
        "Metrics": [
            {"Id": "all", "Expression": "FILL(m0, 0) + FILL(m1, 0)"},
            *(metric(weighted_rules.FAILED, group) for group in halves),
        ],
        "Threshold": 5,
        "DatapointsToAlarm": 2,
        "EvaluationPeriods": 3,
    }
    monkeypatch.setitem(weighted_rules._alarms, "failing", alarm)
    assert weighted_rules.is_raised("failing") == raised


def test_alarm_on_another_metric_is_never_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setitem(weighted_rules._failures, "targetgroup/blue/1", deque([now] * 9))
    alarm = {"Metrics": [metric("RequestCount", "targetgroup/blue/1")], "Threshold": 5}
    monkeypatch.setitem(weighted_rules._alarms, "busy", alarm)
    assert not weighted_rules.is_raised("busy")
    assert not weighted_rules.is_raised("unknown")
