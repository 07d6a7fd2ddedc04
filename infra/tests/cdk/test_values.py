"""Values that decide whether a deployment survives: checks, alarms, sizes and what is retained."""

from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_cloudwatch import Alarm

from infra import stages
from infra.cdk import components
from infra.cdk.constructs.alarms import TargetGroupMetrics
from infra.runner.config import worker_name
from infra.tests.cdk.templates import Templates, templates, texts

LAB, PRODUCTION = templates(), templates(environment="production")
DATA = {
    *("AWS::DynamoDB::Table", "AWS::RDS::DBInstance", "AWS::S3::Bucket"),
    *("AWS::SQS::Queue", "AWS::SecretsManager::Secret"),
}
VISIBLE, AGE = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
GREATER, LESS = "GreaterThanThreshold", "LessThanThreshold"
ALARMS = {
    # namespace, metric, statistic, comparison, threshold, minutes beyond it of those looked at,
    # without data
    "worker-deadletters": ("AWS/SQS", VISIBLE, "Maximum", GREATER, 0, (1, 1), "notBreaching"),
    "worker-queue": ("AWS/SQS", AGE, "Maximum", GREATER, 300, (5, 5), "notBreaching"),
    "worker-outbox": ("Forum", "{}-OutboxSeconds", "Maximum", GREATER, 60, (5, 5), "breaching"),
}
WEB_ALARMS = {
    # the same, and how the target groups' metrics are combined
    "failing": ("HTTPCode_Target_5XX_Count", "Sum", GREATER, 5, (2, 3), "notBreaching", "+"),
    "slow": ("TargetResponseTime", "p99", GREATER, 1, (3, 5), "notBreaching", "MAX"),
    "unhealthy": ("UnHealthyHostCount", "Maximum", GREATER, 0, (3, 3), "notBreaching", "+"),
    "down": ("HealthyHostCount", "Maximum", LESS, 1, (2, 2), "breaching", "+"),
}
OTHER_ALARMS = {
    ("edge", "balancer-failing"): (
        *("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum"),
        *(GREATER, 5, (2, 3), "notBreaching"),
    ),
    ("data", "database-cpu"): (
        *("AWS/RDS", "CPUUtilization", "Average", GREATER, 80, (15, 15), "notBreaching"),
    ),
    ("data", "database-storage"): (
        *("AWS/RDS", "FreeStorageSpace", "Minimum", LESS, 2 * 2**30, (5, 5), "notBreaching"),
    ),
    ("data", "database-connections"): (
        *("AWS/RDS", "DatabaseConnections", "Maximum", GREATER, 300, (5, 5), "notBreaching"),
    ),
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
    # Of a creation that fails, nothing stays: it is empty, and its name would be in the way.
    kept = ("RetainExceptOnCreate", "Retain")
    assert {kind: policies(PRODUCTION, kind) for kind in DATA} == {
        "AWS::DynamoDB::Table": {kept},
        "AWS::RDS::DBInstance": {("Snapshot", "Snapshot")},
        "AWS::S3::Bucket": {kept},
        "AWS::SQS::Queue": {kept},
        # The database's password goes with the database.
        "AWS::SecretsManager::Secret": {kept, ("Delete", "Delete")},
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
        interval = group["HealthCheckIntervalSeconds"]
        assert group["HealthCheckTimeoutSeconds"] < interval <= 15
        noticed = group["UnhealthyThresholdCount"] * interval
        assert components.DATABASE_FAILOVER_SECONDS < noticed <= 180
        assert group["HealthyThresholdCount"] * interval <= 30
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


def judged(alarm: dict[str, Any]) -> tuple[Any, ...]:
    """Return when an alarm goes off."""
    minutes = (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"])
    return (
        *(alarm["ComparisonOperator"], alarm["Threshold"], minutes),
        alarm["TreatMissingData"],
    )


def dimensions(metric: dict[str, Any]) -> dict[str, str]:
    return {each["Name"]: texts(each["Value"]) for each in metric.get("Dimensions", [])}


@pytest.mark.parametrize("component", stages.COMPONENTS)
@pytest.mark.parametrize("what", ALARMS)
def test_worker_alarm_watches_its_own_metric(component: str, what: str) -> None:
    namespace, metric, *wanted = ALARMS[what]
    alarm = _alarm(component, f"{component}-{what}")
    assert (alarm["Namespace"], alarm["MetricName"]) == (namespace, metric.format(component))
    assert (alarm["Statistic"], *judged(alarm)) == tuple(wanted)
    assert alarm["Period"] == 60
    queue = {"worker-deadletters": f"forum-{component}-dead-letters"}.get(
        what, f"forum-{component}"
    )
    assert dimensions(alarm) == ({} if what == "worker-outbox" else {"QueueName": queue})


@pytest.mark.parametrize("component", stages.COMPONENTS)
@pytest.mark.parametrize("what", WEB_ALARMS)
def test_web_alarm_watches_every_target_group(component: str, what: str) -> None:
    name, statistic, *wanted, combined = WEB_ALARMS[what]
    alarm = _alarm(component, f"{component}-{what}")
    assert list(judged(alarm)) == wanted
    metrics = {each["Id"]: each for each in alarm["Metrics"]}
    [expression] = [each for each in metrics.values() if "Expression" in each]
    parts = {key: each["MetricStat"] for key, each in metrics.items() if "MetricStat" in each}
    filled = [f"FILL({key}, 0)" for key in parts]
    assert expression["Expression"] == (
        f"MAX([{', '.join(filled)}])" if combined == "MAX" else " + ".join(filled)
    )
    # Only the combination is compared.
    assert {key for key, each in metrics.items() if each.get("ReturnData", True)} == {
        expression["Id"]
    }
    assert {(part["Metric"]["MetricName"], part["Stat"]) for part in parts.values()} == {
        (name, statistic)
    }
    assert {part["Period"] for part in parts.values()} == {60}
    found = [dimensions(part["Metric"]) for part in parts.values()]
    assert {frozenset(each) for each in found} == {frozenset({"LoadBalancer", "TargetGroup"})}
    attached = {
        texts(balanced["TargetGroupArn"])
        for balanced in PRODUCTION.service(component)["LoadBalancers"]
    }
    assert len({each["TargetGroup"] for each in found}) == len(found) >= len(attached)


def test_metrics_of_two_target_groups_are_combined() -> None:
    seen = TargetGroupMetrics(component="posts", balancer="app/a", target_groups=("one", "two"))
    total, slowest = seen.total("RequestCount"), seen.maximum("TargetResponseTime", "p99")
    assert total.expression == "FILL(posts1, 0) + FILL(posts2, 0)"
    assert slowest.expression == "MAX([FILL(posts1, 0), FILL(posts2, 0)])"
    stack = Stack(App(), "stack")
    Alarm(stack, "Alarm", metric=total, threshold=1, evaluation_periods=1)
    [made] = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
    groups = {
        dimensions(each["MetricStat"]["Metric"])["TargetGroup"]
        for each in made["Properties"]["Metrics"]
        if "MetricStat" in each
    }
    assert groups == {"one", "two"}


@pytest.mark.parametrize(("stack", "what"), OTHER_ALARMS)
def test_alarms_of_balancer_and_database_watch_their_own_metrics(stack: str, what: str) -> None:
    namespace, metric, statistic, *wanted = OTHER_ALARMS[stack, what]
    alarm = _alarm(stack, what)
    assert (alarm["Namespace"], alarm["MetricName"]) == (namespace, metric)
    assert alarm["Statistic"] == statistic
    assert list(judged(alarm)) == wanted
    [(key, value)] = dimensions(alarm).items()
    if stack == "data":
        assert (key, value) == ("DBInstanceIdentifier", "forum")
        assert PRODUCTION.one("AWS::RDS::DBInstance")["DBInstanceIdentifier"] == value
    else:
        assert (key, "Balancer" in value) == ("LoadBalancer", True)


def test_a_small_database_allows_fewer_connections() -> None:
    [alarm] = [
        each
        for each in LAB.all("AWS::CloudWatch::Alarm", "data")
        if each["AlarmName"] == "forum-database-connections"
    ]
    assert alarm["Threshold"] == 60


def test_an_idle_lab_has_no_alarm_for_missing_tasks() -> None:
    idle = templates(idle="on").all("AWS::CloudWatch::Alarm")
    assert not [each for each in idle if each["AlarmName"].endswith("-down")]


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


def _alarm(stack: str, what: str) -> dict[str, Any]:
    [found] = [
        alarm
        for alarm in PRODUCTION.all("AWS::CloudWatch::Alarm", stack)
        if alarm["AlarmName"] == f"forum-{what}"
    ]
    return found


def _attributes(listed: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["Key"]: each["Value"] for each in listed}
