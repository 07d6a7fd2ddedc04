"""The listener rules of every stage against the table of paths that Envoy is tested with."""

import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra import stages
from infra.cdk.constructs import listener_rules
from infra.gateway import routes
from infra.tests.cdk.templates import Templates, patterns, templates

TABLE: list[dict[str, str]] = tomllib.loads(
    (Path(__file__).parents[1] / "gateway" / "paths.toml").read_text(encoding="utf-8")
)["path"]


@pytest.fixture(params=stages.all_stages(), ids=stages.stage_name)
def stage(request: pytest.FixtureRequest) -> Templates:
    return templates(extracted=stages.as_setting(request.param))


def owner_of(rule: dict[str, Any], made: Templates) -> str:
    """Return the component whose stack contains a rule, which forwards to that stack's targets."""
    for component in made.options.components:
        if rule in list(made.all("AWS::ElasticLoadBalancingV2::ListenerRule", component)):
            (action,) = rule["Actions"]
            assert action["Type"] == "forward"
            groups = action["ForwardConfig"]["TargetGroups"]
            assert [each["Weight"] for each in groups] == [100, 0]
            assert [group_name(made, component, each["TargetGroupArn"]) for each in groups] == [
                f"forum-{component}",
                f"forum-{component}-green",
            ]
            return component
    raise AssertionError(rule)


def group_name(made: Templates, component: str, reference: dict[str, Any]) -> str:
    """Return the name of a target group of this component's stack, or of the load balancer's."""
    resources = made.stack(component)["Resources"]
    if "Ref" not in reference:
        (exported,) = (
            output["Value"]
            for output in made.stack("edge")["Outputs"].values()
            if output.get("Export", {}).get("Name") == reference["Fn::ImportValue"]
        )
        resources, reference = made.stack("edge")["Resources"], exported
    name: str = resources[reference["Ref"]]["Properties"]["Name"]
    return name


def matches(pattern: str, path: str) -> bool:
    """Match as the load balancer does: case counts, `*` is anything, `?` one character."""
    literal = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(literal, path, re.DOTALL) is not None


def routed_component(path: str, made: Templates) -> str:
    """Return the component that gets a path."""
    for rule in made.rules():
        if any(matches(pattern, path) for pattern in patterns(rule)):
            return owner_of(rule, made)
    return stages.MONOLITH


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["path"])
def test_path_reaches_its_owner(entry: dict[str, str], stage: Templates) -> None:
    """A load balancer matches the raw path; if Envoy normalizes it first, `alb` is the owner."""
    owner = entry.get("alb", entry["owner"])
    parts = urlsplit(entry["path"]) if entry["path"].startswith("http") else None
    path = parts.path if parts else entry["path"].partition("?")[0]
    expected = owner if owner in stage.options.extracted else stages.MONOLITH
    assert routed_component(path, stage) == expected


def test_every_route_of_the_stage_is_a_rule_and_nothing_else_is(stage: Templates) -> None:
    wanted = {
        (route.prefix, f"{route.prefix}/*", route.component)
        for route in routes.load().at(stage.options.extracted).routes
    }
    routed = [rule for rule in stage.rules() if patterns(rule)]
    found = {(*patterns(rule), owner_of(rule, stage)) for rule in routed}
    assert found == wanted | {("/*", stages.MONOLITH)}
    assert patterns(routed[-1]) == ["/*"]


def test_no_rule_shadows_another(stage: Templates) -> None:
    rules = stage.rules()
    priorities = [int(rule["Priority"]) for rule in rules]
    assert len(set(priorities)) == len(priorities)
    for place, rule in enumerate(rules):
        for earlier in rules[:place]:
            for pattern in patterns(rule):
                example = pattern.replace("*", "x")
                assert not any(matches(each, example) for each in patterns(earlier))


def test_rule_has_the_same_priority_at_every_stage(stage: Templates) -> None:
    everything = {r.patterns: r.priority for r in listener_rules.rules()}
    everything["/*",] = listener_rules.CATCH_ALL
    for rule in stage.rules():
        if paths := patterns(rule):
            assert everything[tuple(paths)] == int(rule["Priority"])


def test_rules_follow_healthy_tasks_and_are_removed_before_them(stage: Templates) -> None:
    """CloudFormation creates a resource after its dependencies, and deletes it before them."""
    for component in stage.options.extracted:
        resources = stage.stack(component)["Resources"]
        (service,) = (
            logical_id
            for logical_id, each in resources.items()
            if each["Type"] == "AWS::ECS::Service"
            and each["Properties"]["ServiceName"] == component
        )
        held = []
        for logical_id, each in resources.items():
            if each["Type"] == "AWS::ElasticLoadBalancingV2::ListenerRule":
                if patterns(each["Properties"]):
                    assert service in each["DependsOn"]
                else:
                    held.append(logical_id)
        assert set(held) <= set(resources[service]["DependsOn"])


def test_rule_that_attaches_a_target_group_matches_no_request(stage: Templates) -> None:
    for rule in stage.rules():
        if not patterns(rule):
            fields = {condition["Field"]: condition for condition in rule["Conditions"]}
            assert fields.keys() == {"host-header", "source-ip"}
            (host,) = fields["host-header"]["HostHeaderConfig"]["Values"]
            assert host.endswith(".invalid")
            assert fields["source-ip"]["SourceIpConfig"]["Values"] == ["192.0.2.1/32"]


def test_default_is_the_monolith(stage: Templates) -> None:
    listener = stage.one("AWS::ElasticLoadBalancingV2::Listener", "edge")
    (action,) = listener["DefaultActions"]
    group = stage.stack("edge")["Resources"][action["TargetGroupArn"]["Ref"]]["Properties"]
    assert group["Name"] == "forum-monolith"
