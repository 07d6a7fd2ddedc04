"""The machines that services run on: Fargate, its spare capacity, or EC2 instances.

Tasks on instances get no public addresses. In a lab they reach AWS through a NAT gateway, in
production through endpoints, as all tasks do there (docs/adr/0054-capacity.md). Programs that run
once, such as a migration, always run on Fargate.
"""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Aws, Duration, Size
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.cdk import components, names
from infra.cdk.options import EC2, FARGATE, FARGATE_SPOT, MANAGED_INSTANCES, DeploymentOptions

SPOT, ON_DEMAND = "FARGATE_SPOT", "FARGATE"
# Of the tasks of a service in production, the first and a quarter of the others can't be reclaimed.
ON_DEMAND_BASE, ON_DEMAND_WEIGHT, SPOT_WEIGHT = 1, 1, 3
DISK = Size.gibibytes(30)  # at least that of the image
WARM_UP = Duration.minutes(3)
_ARCHITECTURES = {
    "x86_64": ecs.CpuArchitecture.X86_64,
    "arm64": ecs.CpuArchitecture.ARM64,
}
_COMPATIBILITIES = {
    FARGATE: ecs.Compatibility.FARGATE,
    FARGATE_SPOT: ecs.Compatibility.FARGATE,
    EC2: ecs.Compatibility.EC2,
    MANAGED_INSTANCES: ecs.Compatibility.MANAGED_INSTANCES,
}


class Instances(Construct):
    """A capacity provider of EC2 instances, whose number follows from the tasks.

    `group` is the security group of the instances themselves; tasks have their own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: DeploymentOptions,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        group: ec2.ISecurityGroup,
        cluster: ecs.Cluster,
    ) -> None:
        super().__init__(scope, construct_id)
        self.options, self.vpc, self.subnets, self.group = options, vpc, subnets, group
        if options.capacity == EC2:
            cluster.add_asg_capacity_provider(self._scaled())
        else:
            cluster.add_managed_instances_capacity_provider(self._managed(cluster))

    def _role(self, role_name: str | None = None) -> iam.Role:
        """Create the role of the instances, which the proxies of Service Connect use, too."""
        role = iam.Role(
            self,
            "Role",
            role_name=role_name,
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            description="What the ECS agent of an instance may do",
        )
        sets = names.task_sets(self.options)
        role.add_to_policy(
            iam.PolicyStatement(sid="Proxies", actions=["ecs:Poll"], resources=[sets])
        )
        return role

    def _scaled(self) -> ecs.AsgCapacityProvider:
        """Create an Auto Scaling group that ECS scales, and drains before it ends an instance."""
        options, role = self.options, self._role()
        arm = options.architecture == "arm64"
        hardware = ecs.AmiHardwareType.ARM if arm else ecs.AmiHardwareType.STANDARD
        start = ec2.UserData.for_linux()
        # A task has the permissions of its own role only, not those of the instance.
        start.add_commands("echo ECS_AWSVPC_BLOCK_IMDS=true >> /etc/ecs/ecs.config")
        template = ec2.LaunchTemplate(
            self,
            "Template",
            instance_type=ec2.InstanceType(components.instance_type(options)),
            machine_image=ecs.EcsOptimizedImage.amazon_linux2023(hardware),
            role=role,
            security_group=self.group,
            user_data=start,
            require_imdsv2=True,
            http_put_response_hop_limit=1,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        int(DISK.to_gibibytes()),
                        encrypted=True,
                        volume_type=ec2.EbsDeviceVolumeType.GP3,
                    ),
                )
            ],
        )
        instances = autoscaling.AutoScalingGroup(
            self,
            "Group",
            vpc=self.vpc,
            vpc_subnets=self.subnets,
            launch_template=template,
            min_capacity=0,
            max_capacity=components.max_instances(options),
            # ECS decides which instance ends; a lab is rather deleted as a whole.
            new_instances_protected_from_scale_in=options.production,
            default_instance_warmup=WARM_UP,
        )
        return ecs.AsgCapacityProvider(
            self,
            "Provider",
            auto_scaling_group=instances,
            capacity_provider_name=names.capacity_provider(options),
            enable_managed_scaling=True,
            enable_managed_draining=True,
            enable_managed_termination_protection=options.production,
        )

    def _managed(self, cluster: ecs.ICluster) -> ecs.ManagedInstancesCapacityProvider:
        """Create a provider whose instances AWS chooses, patches and replaces."""
        # AWS's policy for the infrastructure passes only roles whose names begin like this.
        role = self._role(f"ecsInstanceRole-{self.options.name}")
        instances = f"arn:{Aws.PARTITION}:ecs:{Aws.REGION}:{Aws.ACCOUNT_ID}:container-instance/*"
        for sid, resource, actions in (
            ("Endpoint", "*", ["DiscoverPollEndpoint"]),
            (
                "Cluster",
                cluster.cluster_arn,
                [
                    "RegisterContainerInstance",
                    "SubmitAttachmentStateChanges",
                    "SubmitTaskStateChange",
                ],
            ),
            ("Instance", instances, ["Poll", "PutSystemLogEvents", "StartTelemetrySession"]),
        ):
            allowed = [f"ecs:{action}" for action in actions]
            role.add_to_policy(iam.PolicyStatement(sid=sid, actions=allowed, resources=[resource]))
        arm = self.options.architecture == "arm64"
        return ecs.ManagedInstancesCapacityProvider(
            self,
            "Managed",
            capacity_provider_name=names.capacity_provider(self.options),
            ec2_instance_profile=iam.InstanceProfile(
                self, "Profile", role=role, instance_profile_name=role.role_name
            ),
            subnets=self.vpc.select_subnets(subnet_type=self.subnets.subnet_type).subnets,
            security_groups=[self.group],
            instance_requirements=ec2.InstanceRequirementsConfig(
                v_cpu_count_min=1,
                memory_min=Size.gibibytes(2),
                cpu_manufacturers=(
                    [ec2.CpuManufacturer.AWS]
                    if arm
                    else [ec2.CpuManufacturer.INTEL, ec2.CpuManufacturer.AMD]
                ),
            ),
            propagate_tags=ecs.PropagateManagedInstancesTags.CAPACITY_PROVIDER,
        )


def compatibility(options: DeploymentOptions, *, once: bool) -> ecs.Compatibility:
    """Return what a task definition has to run on."""
    return ecs.Compatibility.FARGATE if once else _COMPATIBILITIES[options.capacity]


def platform(options: DeploymentOptions, *, once: bool) -> ecs.RuntimePlatform | None:
    """Return the platform of a task definition; on EC2, the image of the instances decides it."""
    if compatibility(options, once=once) == ecs.Compatibility.EC2:
        return None
    return ecs.RuntimePlatform(
        cpu_architecture=_ARCHITECTURES[options.architecture],
        operating_system_family=ecs.OperatingSystemFamily.LINUX,
    )


def create_service(
    scope: Construct, construct_id: str, *, options: DeploymentOptions, **arguments: Any
) -> ecs.BaseService:
    """Create an ECS service on the machines that the options choose."""
    if options.capacity == EC2:
        return ecs.Ec2Service(
            scope,
            construct_id,
            capacity_provider_strategies=_strategies(options),
            # A deployment or a failure then leaves tasks in every zone.
            placement_strategies=[
                ecs.PlacementStrategy.spread_across(ecs.BuiltInAttributes.AVAILABILITY_ZONE),
                ecs.PlacementStrategy.packed_by_memory(),
            ],
            **arguments,
        )
    return ecs.FargateService(scope, construct_id, **_fargate(options), **arguments)


def _fargate(options: DeploymentOptions) -> Mapping[str, Any]:
    if options.capacity == MANAGED_INSTANCES:
        return {"capacity_provider_strategies": _strategies(options)}
    latest = {
        "platform_version": ecs.FargatePlatformVersion.LATEST,
        "assign_public_ip": options.public_tasks,
    }
    if options.capacity == FARGATE:
        return latest
    return latest | {"capacity_provider_strategies": _strategies(options)}


def _strategies(options: DeploymentOptions) -> list[ecs.CapacityProviderStrategy]:
    """Return which share of a service's tasks runs on which machines."""
    if options.on_instances:
        name = names.capacity_provider(options)
        return [ecs.CapacityProviderStrategy(capacity_provider=name, weight=1)]
    spot = ecs.CapacityProviderStrategy(capacity_provider=SPOT, weight=SPOT_WEIGHT)
    if not options.production:
        return [spot]
    on_demand = ecs.CapacityProviderStrategy(
        capacity_provider=ON_DEMAND, base=ON_DEMAND_BASE, weight=ON_DEMAND_WEIGHT
    )
    return [on_demand, spot]
