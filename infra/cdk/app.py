"""All stacks of a deployment, split by their rate of change."""

from dataclasses import dataclass

from aws_cdk import App, Tags

from infra import stages
from infra.cdk import nag_suppressions, names
from infra.cdk.components import MIGRATION
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks.component import ComponentStack
from infra.cdk.stacks.dashboard import Dashboard
from infra.cdk.stacks.data import Data
from infra.cdk.stacks.load_balancer import LoadBalancer
from infra.cdk.stacks.migration import Migration
from infra.cdk.stacks.network import Network

NETWORK, DATA, EDGE, WATCH = "network", "data", "edge", "watch"
FLAGS = {
    # Behaviour that the CDK only enables on request.
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/core:enablePartitionLiterals": False,
    "@aws-cdk/aws-ec2:restrictDefaultSecurityGroup": False,
    "@aws-cdk/aws-ecs:disableExplicitDeploymentControllerForCircuitBreaker": True,
    "@aws-cdk/aws-ecs:removeDefaultDeploymentAlarm": True,
    "@aws-cdk/aws-ecs:reduceEc2FargateCloudWatchPermissions": True,
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:validateAgainstDefaultRules": True,
}


@dataclass(frozen=True, kw_only=True)
class Forum:
    """The stacks of one deployment."""

    network: Network
    data: Data
    migration: Migration
    edge: LoadBalancer
    components: tuple[ComponentStack, ...]
    watch: Dashboard


def build(app: App, options: DeploymentOptions) -> Forum:
    """Add the stacks of a deployment to an app."""
    network = Network(app, names.stack(options, NETWORK), options=options)
    data = Data(app, names.stack(options, DATA), options=options, network=network)
    migration = Migration(
        app, names.stack(options, MIGRATION), options=options, network=network, data=data
    )
    edge = LoadBalancer(app, names.stack(options, EDGE), options=options, network=network)
    components = tuple(
        ComponentStack(
            app,
            names.stack(options, name),
            options=options,
            name=name,
            network=network,
            data=data,
            edge=edge,
        )
        for name in options.components
    )
    for each in components:
        # It refers to the data stack by names only, so the dependency must be explicit.
        each.add_stack_dependency(data)
        # A service takes over its paths before the monolith gives them up.
        if each.name != stages.MONOLITH:
            components[0].add_stack_dependency(each)
    components[0].add_stack_dependency(migration)
    watch = Dashboard(
        app,
        names.stack(options, WATCH),
        options=options,
        watched=list(components),
        others=[data, edge],
    )
    Tags.of(app).add("forum", options.name)
    Tags.of(app).add("environment", options.environment)
    nag_suppressions.suppress_findings(app, options)
    return Forum(
        network=network,
        data=data,
        migration=migration,
        edge=edge,
        components=components,
        watch=watch,
    )
