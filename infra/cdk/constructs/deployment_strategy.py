"""Deployment strategies of a new revision: rolling, or by weights of the load balancer.

ECS shifts the weights itself, without CodeDeploy or App Mesh, at the load balancer and at Service
Connect (docs/adr/0021-strategies.md).
"""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_ecs as ecs

from infra.cdk.options import BLUE_GREEN, CANARY, LINEAR, DeploymentOptions

# How long the old revision keeps running after the shift.
BAKE_MINUTES = 10
CANARY_PERCENT, CANARY_MINUTES = 10, 5
LINEAR_PERCENT, LINEAR_MINUTES = 20, 3
# How long a deployment waits for its validation until it rolls back.
VALIDATION_MINUTES = 60


def strategy_arguments(options: DeploymentOptions) -> dict[str, Any]:
    """Return the strategy's arguments for an ECS service behind the load balancer."""
    if not options.weighted:
        return {}
    kinds: dict[str, dict[str, Any]] = {
        BLUE_GREEN: {"deployment_strategy": ecs.DeploymentStrategy.BLUE_GREEN},
        CANARY: {
            "deployment_strategy": ecs.DeploymentStrategy.CANARY,
            "canary_configuration": ecs.TrafficShiftConfig(
                step_percent=CANARY_PERCENT, step_bake_time=Duration.minutes(CANARY_MINUTES)
            ),
        },
        LINEAR: {
            "deployment_strategy": ecs.DeploymentStrategy.LINEAR,
            "linear_configuration": ecs.TrafficShiftConfig(
                step_percent=LINEAR_PERCENT, step_bake_time=Duration.minutes(LINEAR_MINUTES)
            ),
        },
    }
    return {"bake_time": Duration.minutes(BAKE_MINUTES), **kinds[options.strategy]}


def pause_for_validation(service: ecs.BaseService) -> None:
    """Pause a service's deployments until `infra.cdk.validate` has sent the test traffic.

    `BaseService.add_lifecycle_hook` takes functions only.
    """
    hook = {
        "TargetType": "PAUSE",
        "LifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
        "TimeoutConfiguration": {"TimeoutInMinutes": VALIDATION_MINUTES, "Action": "ROLLBACK"},
    }
    made: Any = service.node.find_child("Service")
    made.add_property_override("DeploymentConfiguration.LifecycleHooks", [hook])
