"""Auto scaling: by requests and CPU for components, by the queue for workers."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam

from infra.cdk import names
from infra.cdk.components import TaskSize
from infra.cdk.options import DeploymentOptions

CPU_PERCENT = 60
# Requests per minute for one task of the smallest size; see `make bench`.
REQUESTS_PER_TARGET = 1500
# Waiting messages per task of a worker.
BACKLOG_PER_TASK = 100
_Policy = scaling.CfnScalingPolicy
_OUT, _IN = Duration.seconds(60), Duration.seconds(300)


def scale_web(
    service: ecs.FargateService, *, options: DeploymentOptions, size: TaskSize, label: str
) -> None:
    """Scale by requests at the load balancer, and by CPU use.

    `label` identifies load balancer and target group, as in `app/forum/…/targetgroup/…`.
    """
    target = _target(service, options=options, size=size)
    target.scale_to_track_metric(
        "Requests",
        predefined_metric=scaling.PredefinedMetric.ALB_REQUEST_COUNT_PER_TARGET,
        resource_label=label,
        target_value=REQUESTS_PER_TARGET,
        scale_out_cooldown=_OUT,
        scale_in_cooldown=_IN,
    )
    target.scale_to_track_metric(
        "Cpu",
        predefined_metric=scaling.PredefinedMetric.ECS_SERVICE_AVERAGE_CPU_UTILIZATION,
        target_value=CPU_PERCENT,
        scale_out_cooldown=_OUT,
        scale_in_cooldown=_IN,
    )


def scale_worker(
    service: ecs.FargateService,
    *,
    options: DeploymentOptions,
    size: TaskSize,
    queue: str,
    program: str,
) -> None:
    """Scale by waiting messages per task; the CDK's own construct does not support metric math."""
    target = _target(service, options=options, size=size)
    waiting = _metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName=queue)
    running = _metric(
        "ECS/ContainerInsights",
        "RunningTaskCount",
        ClusterName=names.cluster(options),
        ServiceName=program,
    )
    query = _Policy.TargetTrackingMetricDataQueryProperty
    scaling.CfnScalingPolicy(
        service,
        "Backlog",
        policy_name=names.family(options, f"{program}-backlog"),
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.scalable_target_id,
        target_tracking_scaling_policy_configuration=(
            _Policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=BACKLOG_PER_TASK,
                scale_out_cooldown=_OUT.to_seconds(),
                scale_in_cooldown=_IN.to_seconds(),
                customized_metric_specification=_Policy.CustomizedMetricSpecificationProperty(
                    metrics=[
                        query(id="waiting", metric_stat=waiting, return_data=False),
                        query(id="running", metric_stat=running, return_data=False),
                        query(
                            id="each",
                            expression="waiting / IF(running > 0, running, 1)",
                            label="messages for each task",
                            return_data=True,
                        ),
                    ]
                ),
            )
        ),
    )


def _metric(
    namespace: str, name: str, **dimensions: str
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
        stat="Average",
    )


def _target(
    service: ecs.FargateService, *, options: DeploymentOptions, size: TaskSize
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
