"""Alarms, each for a condition that needs a person's attention."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from chassis.clock import CLOCK_SKEW
from chassis.messaging import subscriptions
from infra.cdk import names
from infra.cdk.options import DeploymentOptions
from infra.domains import SERVICES

MINUTE = Duration.minutes(1)
LATENCY_SECONDS, LAG_SECONDS = 1.0, 60
OUTBOX, SKEW = "OutboxSeconds", "ClockSkewSeconds"


@dataclass(frozen=True, kw_only=True)
class TargetGroupMetrics:
    """The metrics of a target group at the load balancer."""

    balancer: str
    target_group: str

    def metric(self, name: str, statistic: str) -> cloudwatch.Metric:
        """Return one of its metrics."""
        return cloudwatch.Metric(
            namespace="AWS/ApplicationELB",
            metric_name=name,
            dimensions_map={"LoadBalancer": self.balancer, "TargetGroup": self.target_group},
            statistic=statistic,
            period=MINUTE,
        )


class WebAlarms(Construct):
    """Alarms for a component that fails, is slow, or has unhealthy tasks."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: DeploymentOptions,
        name: str,
        seen: TargetGroupMetrics,
    ) -> None:
        super().__init__(scope, construct_id)
        alarm = _AlarmFactory(self, options, name)
        self.failing = alarm(
            "Failing",
            "answers 5xx",
            seen.metric("HTTPCode_Target_5XX_Count", "Sum"),
            threshold=5,
            of=(2, 3),
        )
        self.all = [
            self.failing,
            alarm(
                "Slow",
                f"takes more than {LATENCY_SECONDS:g} s for one request in a hundred",
                seen.metric("TargetResponseTime", "p99"),
                threshold=LATENCY_SECONDS,
                of=(3, 5),
            ),
            alarm(
                "Unhealthy",
                "has tasks that are not ready",
                seen.metric("UnHealthyHostCount", "Maximum"),
                threshold=0,
                of=(3, 3),
            ),
        ]


class WorkerAlarms(Construct):
    """Alarms for dead letters, and for events that wait too long in the outbox."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: DeploymentOptions,
        component: str,
        log: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        alarm = _AlarmFactory(self, options, f"{component}-worker")
        own = subscriptions.Subscription(component, ())
        # The worker logs it every minute (chassis.messaging.worker).
        outbox = _log_metric(self, options, log, f"{component}-{OUTBOX}", "outbox_age_seconds")
        self.all = [
            alarm(
                "DeadLetters",
                "gave up events",
                queue_metric(
                    own.dead_letter_queue_name(options.prefix), "ApproximateNumberOfMessagesVisible"
                ),
                threshold=0,
                of=(1, 1),
            ),
            alarm(
                "Outbox",
                f"lets events wait for more than {LAG_SECONDS} s, or is silent",
                outbox,
                threshold=LAG_SECONDS,
                of=(5, 5),
                # A lab without data points is idle.
                missing=(
                    cloudwatch.TreatMissingData.BREACHING
                    if options.production
                    else cloudwatch.TreatMissingData.NOT_BREACHING
                ),
            ),
        ]


class ClockAlarm(Construct):
    """Alarm for clocks of components that a component calls, which differ too much from its own."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: DeploymentOptions,
        component: str,
        log: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        # Logged only beyond the limit (chassis.client.clock_skew), so no data is good news. One
        # line is proof, and the next one follows with a later call: five minutes bridge the gap.
        _AlarmFactory(self, options, component)(
            "ClockSkew",
            f"calls a component whose clock differs by more than {CLOCK_SKEW:g} s",
            _log_metric(self, options, log, f"{component}-{SKEW}", "clock_skew_seconds"),
            threshold=CLOCK_SKEW,
            of=(1, 5),
        )


class TableAlarms(Construct):
    """Alarm for throttled requests of a service to DynamoDB."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: DeploymentOptions, service: str
    ) -> None:
        super().__init__(scope, construct_id)
        metrics = {
            f"m{place}": table_metric(options.prefix + table.name, event)
            for place, (table, event) in enumerate(
                (table, event)
                for table in SERVICES[service].tables
                for event in ("ReadThrottleEvents", "WriteThrottleEvents")
            )
        }
        # An alarm can sum at most ten metrics.
        self.all = []
        entries = list(metrics.items())
        for start in range(0, len(entries), 10):
            part = dict(entries[start : start + 10])
            total = cloudwatch.MathExpression(
                expression=" + ".join(f"FILL({name}, 0)" for name in part),
                using_metrics=part,
                period=MINUTE,
                label="throttled requests",
            )
            alarm = _AlarmFactory(self, options, service)
            which = f"Throttled{start // 10 + 1}"
            self.all.append(alarm(which, "is throttled by DynamoDB", total, threshold=0, of=(2, 3)))


class _AlarmFactory:
    """Factory of the alarms of one program."""

    def __init__(self, scope: Construct, options: DeploymentOptions, name: str) -> None:
        self._scope, self._options, self._name = scope, options, name

    def __call__(
        self,
        what: str,
        description: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float,
        of: tuple[int, int],
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> cloudwatch.Alarm:
        """Create an alarm; `of` are the minutes above the threshold, and the evaluated minutes."""
        return cloudwatch.Alarm(
            self._scope,
            what,
            alarm_name=f"{self._options.name}-{self._name}-{what.lower()}",
            alarm_description=f"{self._name} {description}",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=of[0],
            evaluation_periods=of[1],
            treat_missing_data=missing,
        )


def _log_metric(
    scope: Construct,
    options: DeploymentOptions,
    log: logs.ILogGroup,
    name: str,
    field: str,
) -> cloudwatch.Metric:
    """Create a metric from a numeric field of JSON log lines; return its maximum per minute."""
    logs.MetricFilter(
        scope,
        "Filter",
        log_group=log,
        filter_pattern=logs.FilterPattern.literal(f"{{ $.{field} = * }}"),
        metric_namespace=names.metrics(options),
        metric_name=name,
        metric_value=f"$.{field}",
    )
    return cloudwatch.Metric(
        namespace=names.metrics(options), metric_name=name, statistic="Maximum", period=MINUTE
    )


def queue_metric(queue: str, name: str) -> cloudwatch.Metric:
    """Return a metric of a queue."""
    return cloudwatch.Metric(
        namespace="AWS/SQS",
        metric_name=name,
        dimensions_map={"QueueName": queue},
        statistic="Maximum",
        period=MINUTE,
    )


def table_metric(table: str, name: str) -> cloudwatch.Metric:
    """Return a metric of a table."""
    return cloudwatch.Metric(
        namespace="AWS/DynamoDB",
        metric_name=name,
        dimensions_map={"TableName": table},
        statistic="Sum",
        period=MINUTE,
    )


def running_tasks(options: DeploymentOptions, program: str) -> cloudwatch.Metric:
    """Return the metric of a program's running tasks, from Container Insights."""
    return cloudwatch.Metric(
        namespace="ECS/ContainerInsights",
        metric_name="RunningTaskCount",
        dimensions_map={"ClusterName": names.cluster(options), "ServiceName": program},
        statistic="Average",
        period=MINUTE,
    )
