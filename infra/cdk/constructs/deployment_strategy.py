"""How a new revision takes over: task by task, or by weights of the load balancer.

ECS moves the weights itself; no CodeDeploy, no App Mesh. It shifts what comes by the load balancer
or by Service Connect, and not what finds tasks by Cloud Map's names: with weights, the components
therefore find each other by Service Connect, at the same addresses (docs/adr/0021-strategies.md).
"""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_ecs as ecs

from infra.cdk import components
from infra.cdk.constructs.fargate_service import PORT_NAME
from infra.cdk.options import BLUE_GREEN, CANARY, LINEAR, DeploymentOptions

# So long the old revision stands by after the last of its requests.
BAKE_MINUTES = 10
CANARY_PERCENT, CANARY_MINUTES = 10, 5
LINEAR_PERCENT, LINEAR_MINUTES = 20, 3


def strategy_arguments(options: DeploymentOptions) -> dict[str, Any]:
    """Return what the strategy adds to an ECS service behind the load balancer."""
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
    """Let a component be found, and find others, by Service Connect at `<name>.forum.local`."""
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
    """Let a worker find components by Service Connect; nobody looks for it."""
    return ecs.ServiceConnectProps(namespace=components.DOMAIN)
