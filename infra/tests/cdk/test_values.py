"""Values that decide whether a deployment survives: checks, alarms, sizes and what is retained."""

from typing import Any

import pytest

from infra import stages
from infra.runner.config import worker_name
from infra.tests.cdk.templates import Templates, templates, texts

LAB, PRODUCTION = templates(), templates(environment="production")
DATA = {
    *("AWS::DynamoDB::Table", "AWS::RDS::DBInstance", "AWS::S3::Bucket"),
    *("AWS::SQS::Queue", "AWS::SecretsManager::Secret"),
}
VISIBLE = "ApproximateNumberOfMessagesVisible"
ALARMS = {
    # metric, statistic, threshold, minutes above it of those looked at, without data
    "failing": ("HTTPCode_Target_5XX_Count", "Sum", 5, (2, 3), "notBreaching"),
    "slow": ("TargetResponseTime", "p99", 1, (3, 5), "notBreaching"),
    "unhealthy": ("UnHealthyHostCount", "Maximum", 0, (3, 3), "notBreaching"),
    "worker-deadletters": (VISIBLE, "Maximum", 0, (1, 1), "notBreaching"),
    "worker-outbox": ("{}-OutboxSeconds", "Maximum", 60, (5, 5), "breaching"),
}


def policies(made: Templates, kind: str) -> set[tuple[str, str]]:
    """Return what becomes of resources of a type when they are deleted, and when replaced."""
    return {
        (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for stack in made.stacks.values()
        for resource in stack["Resources"].values()
        if resource["Type"] == kind
    }


def test_production_keeps_its_data_when_a_stack_is_deleted() -> None:
    assert {kind: policies(PRODUCTION, kind) for kind in DATA} == {
        "AWS::DynamoDB::Table": {("Retain", "Retain")},
        "AWS::RDS::DBInstance": {("Snapshot", "Snapshot")},
        "AWS::S3::Bucket": {("Retain", "Retain")},
        "AWS::SQS::Queue": {("Retain", "Retain")},
        # The database's password goes with the database.
        "AWS::SecretsManager::Secret": {("Retain", "Retain"), ("Delete", "Delete")},
    }


def test_lab_leaves_nothing_that_costs() -> None:
    assert {kind: policies(LAB, kind) for kind in DATA} == {
        kind: {("Delete", "Delete")} for kind in DATA
    }


@pytest.mark.parametrize(("made", "tasks"), [(LAB, (1, 1)), (PRODUCTION, (2, 1))])
@pytest.mark.parametrize("component", stages.COMPONENTS)
def test_least_number_of_tasks(made: Templates, tasks: tuple[int, int], component: str) -> None:
    least = {
        texts(target["ResourceId"]).rpartition("/")[2]: target["MinCapacity"]
        for target in made.all("AWS::ApplicationAutoScaling::ScalableTarget", component)
    }
    resources = made.stack(component)["Resources"]
    found = {
        resources[reference.removesuffix("Name")]["Properties"]["ServiceName"]: number
        for reference, number in least.items()
    }
    assert found == dict(zip((component, worker_name(component)), tasks, strict=True))


@pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])
def test_a_target_is_healthy_when_it_says_it_is_ready(made: Templates) -> None:
    groups = list(made.all("AWS::ElasticLoadBalancingV2::TargetGroup"))
    assert len(groups) == 2 * len(stages.COMPONENTS)
    for group in groups:
        assert group["HealthCheckPath"] == "/readyz"
        assert group["Matcher"] == {"HttpCode": "200"}
        assert group["HealthCheckTimeoutSeconds"] < group["HealthCheckIntervalSeconds"] <= 10
        assert 2 <= group["UnhealthyThresholdCount"] <= 3
        assert _attributes(group["TargetGroupAttributes"]) == {
            "deregistration_delay.timeout_seconds": "15",
            "load_balancing.algorithm.type": "least_outstanding_requests",
        }


@pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])
def test_balancer_passes_on_the_host_and_refuses_ambiguous_requests(made: Templates) -> None:
    found = _attributes(
        made.one("AWS::ElasticLoadBalancingV2::LoadBalancer")["LoadBalancerAttributes"]
    )
    # The monolith compares a form's origin with the host.
    assert found["routing.http.preserve_host_header.enabled"] == "true"
    assert found["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert found["routing.http.desync_mitigation_mode"] == "strictest"
    # Shorter than the components keep idle connections open.
    assert found["idle_timeout.timeout_seconds"] == "60"
    assert found["deletion_protection.enabled"] == str(made is PRODUCTION).lower()


@pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])
def test_monolith_starts_after_its_migrations_have_succeeded(made: Templates) -> None:
    [migrate, monolith] = made.task(stages.MONOLITH)["ContainerDefinitions"]
    assert (migrate["Name"], migrate["Essential"]) == ("migrate", False)
    assert monolith["DependsOn"] == [{"ContainerName": "migrate", "Condition": "SUCCESS"}]


@pytest.mark.parametrize("component", stages.COMPONENTS)
@pytest.mark.parametrize("what", ALARMS)
def test_alarm_watches_its_own_metric(component: str, what: str) -> None:
    metric, statistic, threshold, (above, looked_at), missing = ALARMS[what]
    alarm = _alarm(component, what)
    assert alarm["MetricName"] == metric.format(component)
    assert alarm.get("Statistic", alarm.get("ExtendedStatistic")) == statistic
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["Threshold"] == threshold
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (above, looked_at)
    assert alarm["TreatMissingData"] == missing
    assert alarm["Period"] == 60
    dimensions = {each["Name"]: texts(each["Value"]) for each in alarm.get("Dimensions", [])}
    match what:
        case "worker-deadletters":
            assert dimensions == {"QueueName": f"forum-{component}-dead-letters"}
        case "worker-outbox":
            assert dimensions == {}
            assert alarm["Namespace"] == "Forum"
        case _:
            assert set(dimensions) == {"LoadBalancer", "TargetGroup"}
            # A service's target group is in its own stack, the monolith's in the edge's.
            group = "MonolithTargetGroup" if component == stages.MONOLITH else "Targets"
            assert group in dimensions["TargetGroup"]


@pytest.mark.parametrize("service", stages.DOMAINS)
def test_throttling_of_each_table_and_index_raises_an_alarm(service: str) -> None:
    watched = set()
    for alarm in PRODUCTION.all("AWS::CloudWatch::Alarm", service):
        if "throttled" in alarm["AlarmName"]:
            assert alarm["Threshold"] == 0
            for metric in alarm["Metrics"]:
                if "MetricStat" in metric:
                    found = metric["MetricStat"]["Metric"]
                    [table] = [d["Value"] for d in found["Dimensions"] if d["Name"] == "TableName"]
                    watched.add((texts(table), found["MetricName"]))
    tables = [one["TableName"] for one in PRODUCTION.all("AWS::DynamoDB::Table", "data")]
    own = [table for table in tables if table == f"forum-{service}" or f"-{service}-" in table]
    assert own
    assert watched == {
        (table, event) for table in own for event in ("ReadThrottleEvents", "WriteThrottleEvents")
    }


def _alarm(component: str, what: str) -> dict[str, Any]:
    name = f"forum-{component}-{what}"
    [found] = [
        alarm
        for alarm in PRODUCTION.all("AWS::CloudWatch::Alarm", component)
        if alarm["AlarmName"] == name
    ]
    return found


def _attributes(listed: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["Key"]: each["Value"] for each in listed}
