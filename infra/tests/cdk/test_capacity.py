"""The machines of the services: their templates at each capacity."""

from collections import Counter

import pytest

from infra.cdk import components, cost
from infra.cdk.options import CAPACITIES, ENVIRONMENTS, FARGATE, OptionsError, read_options
from infra.tests.cdk.templates import CERTIFICATE, Templates, templates

INSTANCES = ("ec2", "managed-instances")
PROVIDER = "instances-forum"


def public_addresses(made: Templates) -> set[str]:
    return {
        service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"]
        for service in made.all("AWS::ECS::Service")
    }


def strategy(made: Templates, program: str) -> dict[str, int]:
    return {
        each["CapacityProvider"]: each["Weight"]
        for each in made.service(program)["CapacityProviderStrategy"]
    }


def test_services_run_on_fargate_by_default() -> None:
    made = templates()
    assert {service["LaunchType"] for service in made.all("AWS::ECS::Service")} == {"FARGATE"}
    assert not list(made.all("AWS::ECS::ClusterCapacityProviderAssociations"))
    assert not list(made.all("AWS::EC2::NatGateway"))


@pytest.mark.parametrize("capacity", CAPACITIES[1:])
def test_services_have_a_strategy_instead_of_a_launch_type(capacity: str) -> None:
    """ECS refuses a service with both."""
    for service in templates(capacity=capacity).all("AWS::ECS::Service"):
        assert "LaunchType" not in service
        assert service["CapacityProviderStrategy"]


def test_lab_runs_on_spare_capacity_alone() -> None:
    made = templates(capacity="fargate-spot")
    for program in ("posts", "posts-worker"):
        assert set(strategy(made, program)) == {"FARGATE_SPOT"}
    associated = made.one("AWS::ECS::ClusterCapacityProviderAssociations")
    assert {"FARGATE", "FARGATE_SPOT"} == set(associated["CapacityProviders"])


def test_first_task_of_a_service_in_production_is_never_reclaimed() -> None:
    made = templates(capacity="fargate-spot", environment="production")
    lasting, spot = made.service("posts")["CapacityProviderStrategy"]
    assert (lasting["CapacityProvider"], lasting["Base"]) == ("FARGATE", 1)
    assert spot["CapacityProvider"] == "FARGATE_SPOT"
    assert lasting["Weight"] < spot["Weight"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("capacity", INSTANCES)
def test_tasks_on_instances_have_no_public_address(capacity: str, environment: str) -> None:
    """ECS gives those of Fargate one only."""
    made = templates(capacity=capacity, environment=environment)
    assert public_addresses(made) == {"DISABLED"}
    assert {strategy(made, name)[PROVIDER] for name in ("monolith", "posts-worker")} == {1}
    outputs = made.stack("migration")["Outputs"]
    assert outputs["PublicAddress"]["Value"] == "DISABLED"


@pytest.mark.parametrize("capacity", INSTANCES)
def test_lab_on_instances_has_one_nat_gateway(capacity: str) -> None:
    made = templates(capacity=capacity)
    made.one("AWS::EC2::NatGateway")
    subnets = {
        subnet["Fn::ImportValue"]
        for service in made.all("AWS::ECS::Service")
        for subnet in service["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"]
    }
    assert len(subnets) == 2
    assert all("tasks" in subnet for subnet in subnets)


@pytest.mark.parametrize("capacity", INSTANCES)
def test_agents_in_production_reach_ecs_by_endpoints(capacity: str) -> None:
    made = templates(capacity=capacity, environment="production")
    services = [
        str(each["ServiceName"])
        for each in made.all("AWS::EC2::VPCEndpoint")
        if each["VpcEndpointType"] == "Interface"
    ]
    for name in ("ecs", "ecs-agent", "ecs-telemetry"):
        assert any(service.endswith(f".{name}") or f".{name}'" in service for service in services)
    assert not list(made.all("AWS::EC2::NatGateway"))


@pytest.mark.parametrize("capacity", CAPACITIES)
def test_programs_that_run_once_run_on_fargate(capacity: str) -> None:
    made = templates(capacity=capacity)
    assert made.task("migration")["RequiresCompatibilities"] == ["FARGATE"]
    wanted = {"ec2": "EC2", "managed-instances": "MANAGED_INSTANCES"}.get(capacity, "FARGATE")
    assert made.task("posts")["RequiresCompatibilities"] == [wanted]


def test_ec2_scales_drains_and_hides_its_own_role() -> None:
    for environment, protected in (("lab", "DISABLED"), ("production", "ENABLED")):
        made = templates(capacity="ec2", environment=environment)
        provider = made.one("AWS::ECS::CapacityProvider")["AutoScalingGroupProvider"]
        assert provider["ManagedScaling"]["Status"] == provider["ManagedDraining"] == "ENABLED"
        # A lab is deleted as a whole, which protected instances would prevent.
        assert provider["ManagedTerminationProtection"] == protected
        group = made.one("AWS::AutoScaling::AutoScalingGroup")
        assert group["NewInstancesProtectedFromScaleIn"] == (protected == "ENABLED")
        assert group["MinSize"] == "0"
        template = made.one("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
        assert template["MetadataOptions"]["HttpTokens"] == "required"
        assert "ECS_AWSVPC_BLOCK_IMDS=true" in str(template["UserData"])
        assert all(each["Ebs"]["Encrypted"] for each in template["BlockDeviceMappings"])


@pytest.mark.parametrize("capacity", INSTANCES)
def test_proxies_of_service_connect_may_poll(capacity: str) -> None:
    """They use the instance's role, and poll task sets, under no condition."""
    statements = [
        statement
        for policy in templates(capacity=capacity).all("AWS::IAM::Policy", "network")
        for statement in policy["PolicyDocument"]["Statement"]
        if ":task-set/forum/*" in str(statement["Resource"])
    ]
    assert [statement["Action"] for statement in statements] == ["ecs:Poll"]
    assert not any("Condition" in statement for statement in statements)


def test_role_of_managed_instances_can_be_passed() -> None:
    """AWS's policy for that names the beginning of the role's name."""
    made = templates(capacity="managed-instances")
    names = [str(role.get("RoleName")) for role in made.all("AWS::IAM::Role", "network")]
    assert names.count("ecsInstanceRole-forum") == 1
    assert len(made.one("AWS::IAM::InstanceProfile", "network")["Roles"]) == 1


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_all_tasks_of_a_deployment_fit_on_the_instances(environment: str) -> None:
    made = templates(capacity="ec2", environment=environment)
    scaled = made.all("AWS::ApplicationAutoScaling::ScalableTarget")
    tasks = 2 * sum(int(target["MaxCapacity"]) for target in scaled)
    most = int(made.one("AWS::AutoScaling::AutoScalingGroup")["MaxSize"])
    assert 0 <= most * components.TASKS_PER_INSTANCE - tasks < components.TASKS_PER_INSTANCE


@pytest.mark.parametrize(
    ("machine", "capacity", "architecture"),
    [
        ("x86_64", "fargate", "x86_64"),
        ("aarch64", "fargate", "arm64"),
        ("arm64", "fargate-spot", "arm64"),
        ("arm64", "ec2", "x86_64"),
        ("arm64", "managed-instances", "x86_64"),
    ],
)
def test_architecture_is_that_of_the_machine_that_builds_the_images(
    monkeypatch: pytest.MonkeyPatch, machine: str, capacity: str, architecture: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert read_options({"capacity": capacity}).architecture == architecture
    assert read_options({"architecture": "arm64"}).architecture == "arm64"


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_instances_have_the_architecture_of_the_images(architecture: str) -> None:
    arm = architecture == "arm64"
    scaled = templates(capacity="ec2", architecture=architecture)
    template = scaled.one("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert template["InstanceType"] == ("t4g.small" if arm else "t3.small")
    assert ("Arm64" in str(template["ImageId"]) or "arm64" in str(template["ImageId"])) == arm
    managed = templates(capacity="managed-instances", architecture=architecture)
    provider = managed.one("AWS::ECS::CapacityProvider")["ManagedInstancesProvider"]
    makers = provider["InstanceLaunchTemplate"]["InstanceRequirements"]["CpuManufacturers"]
    assert makers == (["amazon-web-services"] if arm else ["intel", "amd"])
    platform = managed.task("posts")["RuntimePlatform"]
    assert platform["CpuArchitecture"] == ("ARM64" if arm else "X86_64")


def test_bill_has_the_machines_of_each_capacity() -> None:
    def count(**context: str) -> Counter[str]:
        made = templates(**context)
        return cost.amounts(made.options, made.stacks)

    fargate, spot, ec2 = count(), count(capacity="fargate-spot"), count(capacity="ec2")
    assert fargate["fargate-vcpu-x86_64"] == 8 * 0.25
    assert (spot["fargate-spot-task"], spot["fargate-vcpu-x86_64"]) == (8, 0)
    assert spot["public-ipv4"] == fargate["public-ipv4"]
    assert (ec2["t3.small"], ec2["volume"], ec2["nat-gateway"]) == (4, 4, 1)
    # Of the load balancer and the NAT gateway.
    assert (ec2["public-ipv4"], ec2["fargate-vcpu-x86_64"]) == (3, 0)
    assert count(capacity="managed-instances")["managed-instances"] == 1
    assert count(capacity="ec2", idle="on")["t3.small"] == 0
    production = count(capacity="fargate-spot", environment="production")
    # Two tasks of each component, of which one lasts, and one of each worker, which lasts.
    assert production["fargate-spot-task"] == 4


@pytest.mark.parametrize("capacity", INSTANCES)
def test_instances_need_roles_of_their_own(capacity: str) -> None:
    with pytest.raises(OptionsError, match="set capacity=fargate for role"):
        read_options({"capacity": capacity, "role": "LabRole"})


def test_unknown_capacity_is_refused() -> None:
    with pytest.raises(OptionsError, match="capacity must be one of fargate, fargate-spot, ec2"):
        read_options({"capacity": "lambda"})
    assert read_options({"certificate": CERTIFICATE}).capacity == FARGATE
