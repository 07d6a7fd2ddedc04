"""Names by which components find each other: Service Connect, at every deployment strategy.

A task learns at its start which names there are. A component that calls a new one is deployed after
it, because the address in its settings changes (docs/adr/0051-strategies-in-place.md).
"""

from aws_cdk import aws_ecs as ecs

from infra.cdk import components, names
from infra.cdk.constructs.fargate_service import PORT_NAME
from infra.cdk.options import DeploymentOptions


def server(options: DeploymentOptions, component: str) -> ecs.ServiceConnectProps:
    """Configure a component that others find at `<name>.forum.local`, and that finds them."""
    return ecs.ServiceConnectProps(
        namespace=names.namespace(options),
        services=[
            ecs.ServiceConnectService(
                port_mapping_name=PORT_NAME,
                discovery_name=component,
                dns_name=components.host(component),
                port=components.PORT,
            )
        ],
    )


def client(options: DeploymentOptions) -> ecs.ServiceConnectProps:
    """Configure a worker, which only finds others."""
    return ecs.ServiceConnectProps(namespace=names.namespace(options))
