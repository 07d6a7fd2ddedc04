"""Deployment strategies of a new revision: rolling, or by weights of the load balancer.

ECS shifts the weights itself, without CodeDeploy or App Mesh. It shifts requests through the load
balancer or Service Connect, but not those that resolve Cloud Map's names. With weights, components
therefore find each other by Service Connect, at the same addresses (docs/adr/0021-strategies.md).
"""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_ecs as ecs

from infra.cdk import components
from infra.cdk.constructs.fargate_service import PORT_NAME
from infra.cdk.options import BLUE_GREEN, CANARY, LINEAR, DeploymentOptions

# How long the old revision keeps running after the shift.
BAKE_MINUTES = 10
CANARY_PERCENT, CANARY_MINUTES = 10, 5
LINEAR_PERCENT, LINEAR_MINUTES = 20, 3


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


def service_connect(component: str) -> ecs.ServiceConnectProps:
    """Configure Service Connect for a component, which is found at `<name>.forum.local`."""
    return ecs.ServiceConnectProps(
        namespace=components.DOMAIN,
        services=[
            ecs.ServiceConnectService(
                port_mapping_name=PORT_NAME,
                discovery_name=component,
                dns_name=f"{component}.{components.DOMAIN}",
                port=components.PORT,
            )
        ],
    )


def service_connect_client() -> ecs.ServiceConnectProps:
    """Configure Service Connect for a worker, which is a client only."""
    return ecs.ServiceConnectProps(namespace=components.DOMAIN)
