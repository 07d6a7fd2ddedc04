"""Suppressed findings of cdk-nag's AwsSolutions, each with a reason.

A test runs cdk-nag, and fails on findings that are not in this list and on unused entries.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aws_cdk import Acknowledgment, App, Validations

from infra.cdk.options import (
    EC2,
    EVERYBODY,
    MANAGED_INSTANCES,
    STATE_MACHINE,
    DeploymentOptions,
)

PACK = "AwsSolutions"


@dataclass(frozen=True)
class Suppression:
    """A finding, its constructs, the reason, and the deployments in which it occurs."""

    finding: str
    path: str
    reason: str
    when: Callable[[DeploymentOptions], bool] = lambda _: True


SUPPRESSIONS = (
    Suppression(
        "EC23",
        "*-network/BalancerGroup/Resource",
        "A forum is there for everybody; only the load balancer is.",
        lambda options: EVERYBODY in options.allow,
    ),
    Suppression(
        "SMG4",
        "*-data/Shared/Resource",
        "Rotating it would end all cursors and sessions at once; docs/deploy.md says how to.",
    ),
    Suppression(
        "SMG4",
        "*-data/Signing/Resource",
        "Rotating it takes a second public key for as long as sessions live; docs/deploy.md.",
    ),
    Suppression(
        "SMG4",
        "*-data/Database/Instance/Secret/Resource",
        "Tasks read it at their start only: rotated by hand, with a deployment after it.",
    ),
    Suppression(
        "SMG4",
        "*-data/Database/Application/Resource",
        "The migration sets it in the database, and tasks read it at their start; docs/deploy.md.",
    ),
    Suppression(
        "RDS3",
        "*-data/Database/Instance/Resource",
        "A lab does without a second zone, which costs as much again.",
        lambda options: not options.production,
    ),
    Suppression(
        "RDS10",
        "*-data/Database/Instance/Resource",
        "A lab is there to be torn down.",
        lambda options: not options.production,
    ),
    Suppression(
        "RDS11",
        "*-data/Database/Instance/Resource",
        "Only the monolith's tasks reach the port; another number would hide nothing.",
    ),
    Suppression(
        "S1", "*-edge/Logs/Resource", "It is the bucket of logs; its own would be endless."
    ),
    Suppression(
        "ECS2",
        "*/Definition/Resource",
        "What is secret comes by reference; the rest is configuration and belongs to the revision.",
    ),
    Suppression(
        "IAM5[Resource::*]",
        "*/ExecutionRole/DefaultPolicy/Resource",
        "ecr:GetAuthorizationToken is for a registry, and AWS takes no resource for it.",
        lambda options: not options.role,
    ),
    Suppression(
        "VPC7",
        "*-network/Vpc/Resource",
        "Flow logs need a role, which an account with one existing role can't create.",
        lambda options: bool(options.role),
    ),
    Suppression(
        "IAM5[Resource::*]",
        "*/Role/DefaultPolicy/Resource",
        "ssmmessages for ECS Exec, for which AWS takes no resource; in a lab with exec=on only.",
        lambda options: options.exec,
    ),
    Suppression(
        "IAM5[Resource::*]",
        "*/Mover/Role/DefaultPolicy/Resource",
        "A move looks at rules, targets and tasks: AWS takes no resource, or none known before.",
        lambda options: bool(options.moving),
    ),
    Suppression(
        "IAM5[Resource::*]",
        "*/StateMachine/Role/DefaultPolicy/Resource",
        "To record its states in a log and in traces, for which AWS takes no resource.",
        lambda options: options.mover == STATE_MACHINE,
    ),
    Suppression(
        "IAM5[Resource::arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task/forum/*]",
        "*/StateMachine/Role/DefaultPolicy/Resource",
        "A task gets its name when it starts; those of the deployment's own cluster.",
        lambda options: options.mover == STATE_MACHINE,
    ),
    Suppression(
        "IAM5[Action::ecs:Submit*]",
        "*/Instances/Role/DefaultPolicy/Resource",
        "The states of tasks, which the agent of an instance submits to its own cluster.",
        lambda options: options.capacity == EC2,
    ),
    Suppression(
        "IAM5[Resource::*]",
        "*/Instances/Role/DefaultPolicy/Resource",
        "AWS takes no resource for these, or, as a condition says, the agent's own cluster.",
        lambda options: options.capacity == EC2,
    ),
    Suppression(
        "AS3",
        "*/Instances/Group/ASG",
        "Instances come and go with the tasks; the alarms watch those.",
        lambda options: options.capacity == EC2,
    ),
    Suppression(
        "IAM5[Resource::arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task-set/forum/*]",
        "*/Instances/Role/DefaultPolicy/Resource",
        "A task set gets its name when ECS creates it; those of the deployment's own cluster.",
        lambda options: options.on_instances,
    ),
    Suppression(
        "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy"
        "/AmazonECSInfrastructureRolePolicyForManagedInstances]",
        "*/Instances/Managed/ManagedRole/Resource",
        "AWS's own policy for instances that AWS starts; it follows what ECS needs for that.",
        lambda options: options.capacity == MANAGED_INSTANCES,
    ),
    Suppression(
        "IAM5[Resource::*]",
        "*/Instances/Role/DefaultPolicy/Resource",
        "ecs:DiscoverPollEndpoint, for which AWS takes no resource.",
        lambda options: options.capacity == MANAGED_INSTANCES,
    ),
    Suppression(
        "IAM5[Resource::arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>"
        ":container-instance/*]",
        "*/Instances/Role/DefaultPolicy/Resource",
        "An instance gets its name when it registers.",
        lambda options: options.capacity == MANAGED_INSTANCES,
    ),
    Suppression(
        "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy"
        "/AmazonECSInfrastructureRolePolicyForLoadBalancers]",
        "*/Service/AlternateRole/Resource",
        "AWS's own policy for moving weights; it follows what ECS needs for that.",
        lambda options: options.weighted,
    ),
)


def applicable_suppressions(options: DeploymentOptions) -> Iterator[Suppression]:
    """Yield the suppressions of a deployment."""
    return (each for each in SUPPRESSIONS if each.when(options))


def suppress_findings(app: App, options: DeploymentOptions) -> None:
    """Suppress each finding at its constructs, with the reason."""
    counting = tuple(applicable_suppressions(options))
    for construct in app.node.find_all():
        path = construct.node.path  # each read is two calls to the CDK's process
        for each in counting:
            if fnmatchcase(path, each.path):
                Validations.of(construct).acknowledge(
                    Acknowledgment(id=f"{PACK}::{PACK}-{each.finding}", reason=each.reason)
                )
