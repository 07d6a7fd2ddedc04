"""Alarms, each for a condition that needs a person's attention."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import ArnFormat, Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from chassis.clock import CLOCK_SKEW
from chassis.messaging import subscriptions
from infra.cdk import names
from infra.cdk.options import DeploymentOptions
from infra.domains import SERVICES

MINUTE = Duration.minutes(1)
LATENCY_SECONDS, LAG_SECONDS, QUEUE_SECONDS = 1.0, 60, 300
DATABASE_CPU_PERCENT, DATABASE_FREE_GIB = 80, 2
# By whether it is production. RDS allows the memory in bytes / 9,531,392: fewer than 112
# connections with 1 GiB and 450 with 4 GiB, since it keeps part of the memory for itself.
DATABASE_CONNECTIONS = {False: 60, True: 300}
OUTBOX, SKEW = "OutboxSeconds", "ClockSkewSeconds"


class AlarmTopic(Construct):
    """The topic of all alarms, encrypted, with an optional subscription by e-mail.

    CloudWatch can't use the key that AWS manages for SNS, so the topic has a key of its own.
    """

    def __init__(self, scope: Construct, construct_id: str, *, options: DeploymentOptions) -> None:
        super().__init__(scope, construct_id)
        cloudwatch_itself = iam.ServicePrincipal(
            "cloudwatch.amazonaws.com",
            conditions={
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": _arn(scope, "cloudwatch", f"alarm:{options.name}-*")},
            },
        )
        key = kms.Key(
            self,
            "Key",
            description=f"Alarms of {options.name}",
            enable_key_rotation=True,
            # Nothing is stored with it, so nothing is lost with it.
            removal_policy=RemovalPolicy.DESTROY,
            pending_window=Duration.days(7),
        )
        key.grant_encrypt_decrypt(cloudwatch_itself)
        topic = sns.Topic(
            self,
            "Topic",
            topic_name=names.alarm_topic(options),
            master_key=key,
            enforce_ssl=True,
        )
        topic.grant_publish(cloudwatch_itself)
        if options.email:
            sns.CfnSubscription(
                self,
                "Email",
                topic_arn=topic.topic_arn,
                protocol="email",
                endpoint=options.email,
            )


@dataclass(frozen=True, kw_only=True)
class TargetGroupMetrics:
    """The metrics of a component at the load balancer, over all its target groups.

    A deployment shifts requests from one group to another, and a group without requests has no
    data, so each metric combines the groups, with 0 for missing data.
    """

    component: str
    balancer: str
    target_groups: Sequence[str]

    def total(self, name: str, statistic: str = "Sum") -> cloudwatch.MathExpression:
        """Return the sum of a metric over the target groups."""
        return self._combined(name, statistic, " + ".join(self._filled()))

    def maximum(self, name: str, statistic: str) -> cloudwatch.MathExpression:
        """Return the maximum of a metric over the target groups."""
        return self._combined(name, statistic, f"MAX([{', '.join(self._filled())}])")

    def _filled(self) -> list[str]:
        return [f"FILL({metric}, 0)" for metric in self._ids()]

    def _ids(self) -> list[str]:
        """Return the ids of the metrics, which must differ within a graph of several components."""
        return [f"{self.component}{place}" for place, _ in enumerate(self.target_groups, start=1)]

    def _combined(self, name: str, statistic: str, expression: str) -> cloudwatch.MathExpression:
        return cloudwatch.MathExpression(
            expression=expression,
            using_metrics={
                metric: _balancer_metric(name, statistic, self.balancer, target_group=group)
                for metric, group in zip(self._ids(), self.target_groups, strict=True)
            },
            period=MINUTE,
            label=name,
        )


class WebAlarms(Construct):
    """Alarms for a component that fails, is slow, or has too few healthy tasks."""

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
            seen.total("HTTPCode_Target_5XX_Count"),
            threshold=5,
            of=(2, 3),
        )
        alarm(
            "Slow",
            f"takes more than {LATENCY_SECONDS:g} s for one request in a hundred",
            seen.maximum("TargetResponseTime", "p99"),
            threshold=LATENCY_SECONDS,
            of=(3, 5),
        )
        alarm(
            "Unhealthy",
            "has tasks that are not ready",
            seen.total("UnHealthyHostCount", "Maximum"),
            threshold=0,
            of=(3, 3),
        )
        if not options.idle:
            alarm(
                "Down",
                "has no healthy task",
                seen.total("HealthyHostCount", "Maximum"),
                threshold=1,
                of=(2, 2),
                below=True,
                missing=cloudwatch.TreatMissingData.BREACHING,
            )


class BalancerAlarms(Construct):
    """Alarm for requests that the load balancer itself answers with an error."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: DeploymentOptions, balancer: str
    ) -> None:
        super().__init__(scope, construct_id)
        _AlarmFactory(self, options, "balancer")(
            "Failing",
            "answers 5xx itself, without an answer of a component",
            _balancer_metric("HTTPCode_ELB_5XX_Count", "Sum", balancer),
            threshold=5,
            of=(2, 3),
        )


class DatabaseAlarms(Construct):
    """Alarms for the monolith's database: CPU, free storage and connections."""

    def __init__(
        self, scope: Construct, construct_id: str, *, options: DeploymentOptions, instance: str
    ) -> None:
        super().__init__(scope, construct_id)
        alarm = _AlarmFactory(self, options, "database")
        connections = DATABASE_CONNECTIONS[options.production]
        alarm(
            "Cpu",
            f"uses more than {DATABASE_CPU_PERCENT} % of its CPU",
            _database_metric(instance, "CPUUtilization", "Average"),
            threshold=DATABASE_CPU_PERCENT,
            of=(15, 15),
        )
        alarm(
            "Storage",
            f"has less than {DATABASE_FREE_GIB} GiB of free storage",
            _database_metric(instance, "FreeStorageSpace", "Minimum"),
            threshold=DATABASE_FREE_GIB * 2**30,
            of=(5, 5),
            below=True,
        )
        alarm(
            "Connections",
            f"has more than {connections} connections",
            _database_metric(instance, "DatabaseConnections", "Maximum"),
            threshold=connections,
            of=(5, 5),
        )


class WorkerAlarms(Construct):
    """Alarms for dead letters, and for events that wait too long in the outbox or the queue."""

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
        alarm(
            "DeadLetters",
            "gave up events",
            queue_metric(
                own.dead_letter_queue_name(options.prefix), "ApproximateNumberOfMessagesVisible"
            ),
            threshold=0,
            of=(1, 1),
        )
        alarm(
            "Queue",
            f"leaves an event in its queue for more than {QUEUE_SECONDS} s",
            queue_metric(own.queue_name(options.prefix), "ApproximateAgeOfOldestMessage"),
            threshold=QUEUE_SECONDS,
            of=(5, 5),
        )
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
        )


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
            alarm(which, "is throttled by DynamoDB", total, threshold=0, of=(2, 3))


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
        below: bool = False,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> str:
        """Create an alarm that reports to the topic of alarms; return its name.

        `of` are the minutes above the threshold, or `below` it, and the evaluated minutes.
        """
        name = f"{self._options.name}-{self._name}-{what.lower()}"
        alarm = cloudwatch.Alarm(
            self._scope,
            what,
            alarm_name=name,
            alarm_description=f"{self._name} {description}",
            metric=metric,
            threshold=threshold,
            comparison_operator=(
                cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
                if below
                else cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
            ),
            datapoints_to_alarm=of[0],
            evaluation_periods=of[1],
            treat_missing_data=missing,
        )
        # By its name: the topic is in the network's stack, which comes before all others.
        topic = _arn(self._scope, "sns", names.alarm_topic(self._options))
        report = actions.SnsAction(sns.Topic.from_topic_arn(alarm, "Topic", topic))
        alarm.add_alarm_action(report)
        alarm.add_ok_action(report)
        return name


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


def _arn(scope: Construct, service: str, resource: str) -> str:
    """Return the ARN of a resource in this account and region."""
    return Stack.of(scope).format_arn(
        service=service, resource=resource, arn_format=ArnFormat.NO_RESOURCE_NAME
    )


def _balancer_metric(
    name: str, statistic: str, balancer: str, *, target_group: str = ""
) -> cloudwatch.Metric:
    dimensions = {"LoadBalancer": balancer}
    if target_group:
        dimensions["TargetGroup"] = target_group
    return cloudwatch.Metric(
        namespace="AWS/ApplicationELB",
        metric_name=name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=MINUTE,
    )


def _database_metric(instance: str, name: str, statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/RDS",
        metric_name=name,
        dimensions_map={"DBInstanceIdentifier": instance},
        statistic=statistic,
        period=MINUTE,
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
