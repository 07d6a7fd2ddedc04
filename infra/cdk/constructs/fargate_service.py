"""A component's program as a Fargate service: task definition, log and container."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import CfnOutput, Duration, Fn, Size, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.cdk import components, names, one_off_task
from infra.cdk import iam as grants
from infra.cdk.constructs import capacity
from infra.cdk.constructs.images import Image
from infra.cdk.options import ROLLING, DeploymentOptions
from infra.cdk.stacks.network import Network

PORT_NAME = "http"
# Buffer for log lines that CloudWatch does not accept at once. Further lines are dropped, because
# a forum that blocks on its log would stop with it.
LOG_BUFFER = Size.mebibytes(4)


class Task(Construct):
    """A program's task definition: non-root, read-only file system, secrets by reference."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: DeploymentOptions,
        name: str,
        size: components.TaskSize,
        image: Image,
        role: iam.IRole | None = None,
        environment: Mapping[str, str],
        secrets: Mapping[str, ecs.Secret],
        command: Sequence[str] | None = None,
        beats: bool = False,
        once: bool = False,
    ) -> None:
        """Define a task that serves, `beats` as a worker, or runs `once`.

        Without a role, it gets one that permits nothing. With the option `role`, that is its role.
        """
        super().__init__(scope, construct_id)
        self.options, self.image = options, image
        self.environment, self.secrets = dict(environment), dict(secrets)
        self.log = logs.LogGroup(
            self,
            "Log",
            log_group_name=names.log_group(options, name),
            retention=(
                logs.RetentionDays.ONE_MONTH if options.production else logs.RetentionDays.ONE_WEEK
            ),
            removal_policy=names.removal(options),
        )
        existing = grants.existing_role(self, "Existing", options=options)
        self.definition = ecs.TaskDefinition(
            self,
            "Definition",
            compatibility=capacity.compatibility(options, once=once),
            network_mode=ecs.NetworkMode.AWS_VPC,
            family=names.family(options, name),
            cpu=str(size.cpu),
            memory_mib=str(size.memory),
            task_role=role or existing,
            execution_role=existing,
            runtime_platform=capacity.platform(options, once=once),
        )
        serves = not beats and not once
        self.container = self._container(name, command, beats=beats, serves=serves)

    def _container(
        self,
        name: str,
        command: Sequence[str] | None,
        *,
        beats: bool,
        serves: bool,
    ) -> ecs.ContainerDefinition:
        # Of the process alone: a database that is down for a while is no reason to replace tasks.
        arguments = ["--heartbeat"] if beats else [str(components.PORT), components.LIVE]
        http: Any = ecs.AppProtocol.http  # a property, typed as a method
        mapping = ecs.PortMapping(container_port=components.PORT, name=PORT_NAME, app_protocol=http)
        return self.definition.add_container(
            name,
            image=ecs.ContainerImage.from_docker_image_asset(self.image.asset),
            command=list(command) if command else None,
            environment=self.environment,
            secrets=self.secrets,
            user="10001:10001",
            readonly_root_filesystem=not self.options.exec,
            privileged=False,
            linux_parameters=self._little_rights(name),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=name,
                log_group=self.log,
                mode=ecs.AwsLogDriverMode.NON_BLOCKING,
                max_buffer_size=LOG_BUFFER,
            ),
            port_mappings=[mapping] if serves else None,
            health_check=ecs.HealthCheck(
                command=[*components.SHELL, *arguments],
                interval=Duration.seconds(10),
                timeout=Duration.seconds(5),
                retries=3,
                start_period=Duration.seconds(30),
            )
            if beats or serves
            else None,
            stop_timeout=Duration.seconds(components.STOP_SECONDS),
        )

    def _little_rights(self, name: str) -> ecs.LinuxParameters:
        rights = ecs.LinuxParameters(self, f"{name.capitalize()}Linux", init_process_enabled=True)
        rights.drop_capabilities(ecs.Capability.ALL)
        return rights


def fargate_service(
    scope: Construct,
    construct_id: str,
    *,
    options: DeploymentOptions,
    network: Network,
    name: str,
    task: Task,
    group: ec2.ISecurityGroup,
    balanced: bool,
    connect: ecs.ServiceConnectProps,
    strategy: Mapping[str, object] | None = None,
) -> ecs.BaseService:
    """Create the service of a task; the circuit breaker rolls back unhealthy deployments."""
    service = capacity.create_service(
        scope,
        construct_id,
        options=options,
        service_name=names.service(name),
        cluster=network.cluster,
        task_definition=task.definition,
        vpc_subnets=network.task_subnets,
        security_groups=[group],
        # Auto scaling sets the number of tasks; a deployment does not reset it.
        desired_count=0 if options.idle else None,
        min_healthy_percent=100,
        max_healthy_percent=200,
        availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.ENABLED,
        # With weighted strategies, ECS rolls back itself and accepts no circuit breaker.
        circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True)
        if options.strategy == ROLLING or not balanced
        else None,
        enable_execute_command=options.exec,
        propagate_tags=ecs.PropagatedTagSource.SERVICE,
        health_check_grace_period=Duration.seconds(60) if balanced else None,
        service_connect_configuration=connect,
        **(strategy or {}),
    )
    # The CDK waits for the task role's permissions only, and the first tasks would not get their
    # secrets.
    service.node.add_dependency(task.definition.obtain_execution_role())
    return service


def one_off_outputs(
    stack: Stack, *, task: Task, network: Network, group: ec2.ISecurityGroup, prefix: str = ""
) -> None:
    """Add the outputs by which `infra.cdk.one_off_task` runs a task that runs `once`."""
    subnets = network.vpc.select_subnets(subnet_type=network.task_subnets.subnet_type)
    public = "ENABLED" if task.options.public_tasks else "DISABLED"
    for output, value in (
        (one_off_task.DEFINITION, task.definition.task_definition_arn),
        (one_off_task.SUBNETS, Fn.join(",", subnets.subnet_ids)),
        (one_off_task.GROUP, group.security_group_id),
        (one_off_task.PUBLIC_ADDRESS, public),
    ):
        CfnOutput(stack, prefix + output, value=value, description="To run the task")
