"""The dashboard: requests of users, load of the components, and every alarm."""

from collections.abc import Mapping

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from chassis.messaging import subscriptions
from infra.cdk import components, names
from infra.cdk.constructs import alarms
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks.component import ComponentStack
from infra.runner.config import worker_name

_WIDTH = 24


class Dashboard(Stack):
    """The dashboard's stack, deployed last because it refers to all others."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: DeploymentOptions,
        watched: list[ComponentStack],
        others: list[Stack],
    ) -> None:
        super().__init__(scope, construct_id)
        self.options = options
        board = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=options.name)
        board.add_widgets(
            cloudwatch.AlarmStatusWidget(
                title="Alarms",
                width=_WIDTH,
                alarms=self._alarms([*others, *watched]),
            )
        )
        board.add_widgets(
            self._graph(
                "Requests a minute", {c.name: c.seen.total("RequestCount") for c in watched}
            ),
            self._graph(
                "Seconds, one request in a hundred takes longer",
                {c.name: c.seen.maximum("TargetResponseTime", "p99") for c in watched},
            ),
            self._graph(
                "Answers 5xx",
                {c.name: c.seen.total("HTTPCode_Target_5XX_Count") for c in watched},
            ),
        )
        programs = [c.name for c in watched]
        if components.has_worker(options):
            programs += [worker_name(c.name) for c in watched]
            board.add_widgets(*self._events([c.name for c in watched]))
        board.add_widgets(
            self._graph("Tasks", {name: alarms.running_tasks(options, name) for name in programs}),
            self._graph("CPU, percent", {name: self._used(name, "CPU") for name in programs}),
            self._graph("Memory, percent", {name: self._used(name, "Memory") for name in programs}),
        )
        CfnOutput(
            self,
            "Dashboard address",
            key="DashboardAddress",
            value=(
                f"https://{self.region}.console.{self.url_suffix}/cloudwatch/home"
                f"?region={self.region}#dashboards/dashboard/{options.name}"
            ),
        )

    def _alarms(self, watched: list[Stack]) -> list[cloudwatch.IAlarm]:
        """Return all alarms by name, so that a component can be removed independently."""
        found = (each for stack in watched for each in stack.node.find_all())
        return [
            cloudwatch.Alarm.from_alarm_name(self, name, name)
            for each in found
            if isinstance(each, cloudwatch.CfnAlarm) and (name := each.alarm_name)
        ]

    def _events(self, names_: list[str]) -> list[cloudwatch.IWidget]:
        def queue(metric: str, *, dead: bool = False) -> dict[str, cloudwatch.IMetric]:
            found: dict[str, cloudwatch.IMetric] = {}
            for name in names_:
                own = subscriptions.Subscription(name, ())
                prefix = self.options.prefix
                place = own.dead_letter_queue_name(prefix) if dead else own.queue_name(prefix)
                found[name] = alarms.queue_metric(place, metric)
            return found

        outbox = {
            name: cloudwatch.Metric(
                namespace=names.metrics(self.options),
                metric_name=f"{name}-{alarms.OUTBOX}",
                statistic="Maximum",
                period=alarms.MINUTE,
            )
            for name in names_
        }
        return [
            self._graph("Oldest event in the outbox, seconds", outbox),
            self._graph("Messages that wait", queue("ApproximateNumberOfMessagesVisible")),
            self._graph("Dead letters", queue("ApproximateNumberOfMessagesVisible", dead=True)),
        ]

    def _used(self, program: str, what: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/ECS",
            metric_name=f"{what}Utilization",
            dimensions_map={
                "ClusterName": names.cluster(self.options),
                "ServiceName": program,
            },
            statistic="Average",
            period=alarms.MINUTE,
        )

    def _graph(
        self, title: str, metrics: Mapping[str, cloudwatch.IMetric]
    ) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title=title,
            width=_WIDTH // 3,
            left=[metric.with_(label=name) for name, metric in metrics.items()],  # type: ignore[attr-defined]
        )
