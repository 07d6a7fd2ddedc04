"""The computed costs: everything that has a price by the hour or the month is counted."""

import re
from collections import Counter
from pathlib import Path

import pytest

from infra.cdk import cost
from infra.cdk.options import CAPACITIES, ENVIRONMENTS
from infra.runner.config import ROOT
from infra.tests.cdk.templates import templates

PROVIDER = "AWS::ECS::CapacityProvider"
# Paid by use, or not at all.
FREE = {
    *("AWS::CDK::Metadata", "AWS::CloudFormation::Stack", "AWS::S3::BucketPolicy"),
    *("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Logs::LogGroup", "AWS::EC2::FlowLog"),
    *("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::SNS::Subscription"),
    *("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::IAM::Role", "AWS::IAM::Policy"),
    *("AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::RouteTable", "AWS::EC2::Route"),
    *("AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::InternetGateway"),
    *("AWS::EC2::VPCGatewayAttachment", "AWS::EC2::SecurityGroup"),
    *("AWS::WAFv2::WebACLAssociation", "AWS::WAFv2::LoggingConfiguration"),
    "AWS::EC2::SecurityGroupEgress",
    *("AWS::EC2::SecurityGroupIngress", "AWS::RDS::DBSubnetGroup", "AWS::RDS::DBParameterGroup"),
    *("AWS::SecretsManager::SecretTargetAttachment", "AWS::ECS::TaskDefinition"),
    *("AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::ListenerRule"),
    *("AWS::ElasticLoadBalancingV2::TargetGroup", "AWS::ServiceDiscovery::HttpNamespace"),
    *("AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"),
    *("AWS::EC2::LaunchTemplate", "AWS::IAM::InstanceProfile"),
    "AWS::ECS::ClusterCapacityProviderAssociations",
}


def count(**context: str) -> Counter[str]:
    made = templates(**context)
    return cost.amounts(made.options, made.stacks)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("capacity", CAPACITIES)
def test_every_resource_type_is_priced_or_known_to_be_free(capacity: str, environment: str) -> None:
    made = templates(environment=environment, capacity=capacity)
    for kind, properties in cost._resources(made.stacks):
        if kind not in FREE:
            # What runs on instances is paid with them.
            free = properties.get("VpcEndpointType") == "Gateway" or (
                made.options.on_instances and kind in {"AWS::ECS::Service", PROVIDER}
            )
            assert free or list(cost._paid(kind, properties, made.options)), kind


def test_counted_items_have_prices_and_prices_have_sources() -> None:
    known = cost.prices()
    for context in ({}, {"idle": "on"}, {"environment": "production"}, {"architecture": "arm64"}):
        assert count(**context).keys() <= known.keys()
    for what, price in known.items():
        assert price.source.startswith("https://"), what
        assert price.dollars is None or re.fullmatch(r"20\d\d(-\d\d)?|undated", price.date), what


def test_sleeping_lab_pays_for_no_task_and_no_database() -> None:
    idle, awake = count(idle="on"), count()
    assert awake["fargate-vcpu-x86_64"] == 8 * 0.25
    assert awake["db.t4g.micro"] == 1
    assert not idle["fargate-vcpu-x86_64"]
    assert not idle["db.t4g.micro"]
    assert idle["load-balancer"] == awake["load-balancer"] == 1


def test_arm_tasks_have_their_own_price_and_cost_a_fifth_less() -> None:
    intel, arm, known = count(), count(architecture="arm64"), cost.prices()
    for unit in ("vcpu", "gib"):
        mine, other = f"fargate-{unit}-arm64", f"fargate-{unit}-x86_64"
        assert (arm[mine], arm[other]) == (intel[other], 0)
        cheaper, dearer = known[mine].dollars, known[other].dollars
        assert cheaper
        assert dearer
        assert cheaper / dearer == pytest.approx(0.8, abs=0.01)


def test_unknown_price_is_left_blank(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(
        '[[price]]\nwhat = "a"\ndollars = 2\nper = "month"\nsource = ""\ndate = ""\n'
        '[[price]]\nwhat = "b"\nper = "hour"\nsource = ""\ndate = ""\n'
    )
    written = cost.table(cost.prices(file), {"lab": Counter(a=3, b=1)})
    sums = written.partition("\n\n")[0]
    lines = {line.split()[0]: line.split()[1:] for line in sums.splitlines()}
    assert lines["a"] == ["3", "6.00"]
    assert lines["b"] == ["?"]
    assert lines["together"] == ["6.00"]
    assert "Not known, so not in the sum: b." in written


def test_metric_of_clocks_is_free_while_they_agree_and_its_alarms_are_not() -> None:
    assert count()["own-metric"] == 4  # the outboxes
    # Four for the web, each of one metric for a target group, and three for the worker of each
    # component, three for clocks, three for the database and one for the load balancer; the tables
    # of each service have two metrics a table.
    made = templates()
    tables = len(list(made.all("AWS::DynamoDB::Table")))
    groups = len(list(made.all("AWS::ElasticLoadBalancingV2::TargetGroup")))
    assert count()["alarm-metric"] == 4 * groups + 4 * 3 + 3 + 3 + 1 + 2 * tables
    assert count(extracted="")["alarm-metric"] == 4 * groups / 4 + 3 + 1


@pytest.mark.parametrize("environment", ["lab", "production"])
def test_endpoints_are_paid_for_in_production_only(environment: str) -> None:
    paid = count(environment=environment)["interface-endpoint"]
    assert paid == (12 if environment == "production" else 0)


def test_deployment_page_has_the_computed_costs() -> None:
    counted = {
        "lab idle": count(idle="on"),
        "lab running": count(),
        "production": count(environment="production"),
    }
    written = cost.table(cost.prices(), counted)
    sums = next(line.split()[1:] for line in written.splitlines() if line.startswith("together"))
    row = " | ".join(f"{float(dollars):.0f}" for dollars in sums)
    assert f"| {row} |" in (ROOT / "docs/deploy.md").read_text(encoding="utf-8")


def test_cost_of_another_stage_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    sums = []
    for context in ([], ["extracted="], ["extracted=", "architecture=arm64"]):
        assert cost.main(context) == 0
        lines = capsys.readouterr().out.splitlines()
        together = next(line for line in lines if line.startswith("together"))
        sums.append([float(number) for number in together.split()[1:]])
    everything, monolith, arm = sums
    assert all(one < other for one, other in zip(monolith, everything, strict=True))
    assert arm[1] < monolith[1]


def test_cost_of_an_unknown_domain_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cost.main(["extracted=nobody"]) == 1
    assert "'nobody'" in capsys.readouterr().err
