"""Auto scaling: by requests and CPU for components, by the queue for workers."""

from collections.abc import Mapping

from aws_cdk import Aws, Duration
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam

from infra.cdk import names
from infra.cdk.components import TaskSize
from infra.cdk.constructs.alarms import TargetGroupMetrics
from infra.cdk.options import DeploymentOptions

CPU_PERCENT = 60
# Requests per minute for one task of the smallest size; see `make bench`.
REQUESTS_PER_TARGET = 1500
# Waiting messages per task of a worker.
BACKLOG_PER_TASK = 100
_Policy = scaling.CfnScalingPolicy
_OUT, _IN = Duration.seconds(60), Duration.seconds(300)


def scale_web(
    service: ecs.BaseService,
    *,
    options: DeploymentOptions,
    size: TaskSize,
    seen: TargetGroupMetrics,
) -> None:
    """Scale by requests at the load balancer, and by CPU use.

    AWS's own metric of requests per target takes one target group, and ECS does not support it
    for services between whose target groups it shifts requests.
    """
    target = _target(service, options=options, size=size)
    requests = {
        f"requests{place}": _metric(
            "AWS/ApplicationELB",
            "RequestCount",
            statistic="Sum",
            LoadBalancer=seen.balancer,
            TargetGroup=group,
        )
        for place, group in enumerate(seen.target_groups, start=1)
    }
    _track_per_task(
        service,
        "Requests",
        options=options,
        target=target,
        program=seen.component,
        metrics=requests,
        value=REQUESTS_PER_TARGET,
    )
    target.scale_to_track_metric(
        "Cpu",
        predefined_metric=scaling.PredefinedMetric.ECS_SERVICE_AVERAGE_CPU_UTILIZATION,
        target_value=CPU_PERCENT,
        scale_out_cooldown=_OUT,
        scale_in_cooldown=_IN,
    )


def scale_worker(
    service: ecs.BaseService,
    *,
    options: DeploymentOptions,
    size: TaskSize,
    queue: str,
    program: str,
) -> None:
    """Scale by waiting messages per task."""
    target = _target(service, options=options, size=size)
    waiting = _metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName=queue)
    _track_per_task(
        service,
        "Backlog",
        options=options,
        target=target,
        program=program,
        metrics={"waiting": waiting},
        value=BACKLOG_PER_TASK,
    )


def _track_per_task(
    service: ecs.BaseService,
    what: str,
    *,
    options: DeploymentOptions,
    target: scaling.ScalableTarget,
    program: str,
    metrics: Mapping[str, scaling.CfnScalingPolicy.TargetTrackingMetricStatProperty],
    value: float,
) -> None:
    """Scale by a sum of metrics per running task; the CDK's construct supports no metric math."""
    running = _metric(
        "ECS/ContainerInsights",
        "RunningTaskCount",
        ClusterName=names.cluster(options),
        ServiceName=program,
    )
    total = " + ".join(f"FILL({name}, 0)" for name in metrics)
    query = _Policy.TargetTrackingMetricDataQueryProperty
    scaling.CfnScalingPolicy(
        service,
        what,
        policy_name=names.family(options, f"{program}-{what.lower()}"),
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.scalable_target_id,
        target_tracking_scaling_policy_configuration=(
            _Policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=value,
                scale_out_cooldown=_OUT.to_seconds(),
                scale_in_cooldown=_IN.to_seconds(),
                customized_metric_specification=_Policy.CustomizedMetricSpecificationProperty(
                    metrics=[
                        *(
                            query(id=name, metric_stat=metric, return_data=False)
                            for name, metric in metrics.items()
                        ),
                        query(id="running", metric_stat=running, return_data=False),
                        query(
                            id="each",
                            expression=f"({total}) / IF(running > 0, running, 1)",
                            label=f"{what.lower()} for each task",
                            return_data=True,
                        ),
                    ]
                ),
            )
        ),
    )


def _metric(
    namespace: str, name: str, *, statistic: str = "Average", **dimensions: str
) -> scaling.CfnScalingPolicy.TargetTrackingMetricStatProperty:
    return _Policy.TargetTrackingMetricStatProperty(
        metric=_Policy.TargetTrackingMetricProperty(
            namespace=namespace,
            metric_name=name,
            dimensions=[
                _Policy.TargetTrackingMetricDimensionProperty(name=key, value=value)
                for key, value in dimensions.items()
            ],
        ),
        stat=statistic,
    )


def _target(
    service: ecs.BaseService, *, options: DeploymentOptions, size: TaskSize
) -> scaling.ScalableTarget:
    """Create the scalable target of a service, with AWS's service-linked role."""
    role = (
        f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/aws-service-role"
        "/ecs.application-autoscaling.amazonaws.com"
        "/AWSServiceRoleForApplicationAutoScaling_ECSService"
    )
    return scaling.ScalableTarget(
        service,
        "Scaling",
        service_namespace=scaling.ServiceNamespace.ECS,
        scalable_dimension="ecs:service:DesiredCount",
        resource_id=f"service/{names.cluster(options)}/{service.service_name}",
        min_capacity=size.min_tasks,
        max_capacity=size.max_tasks,
        role=iam.Role.from_role_arn(service, "ScalingRole", role, mutable=False),
    )
