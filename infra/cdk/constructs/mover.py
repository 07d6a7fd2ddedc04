"""The mover of a domain: a task definition that `make extract PLACE=ecs` runs.

Its role reaches both ends of a move, unlike any other. It belongs to the service's stack while the
domain is in `moving`, and is gone with the next stage.
"""

from collections.abc import Sequence

from aws_cdk import Aws, Fn, Stack
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from infra import stages
from infra.cdk import components, names
from infra.cdk import iam as grants
from infra.cdk.constructs.fargate_service import Task, one_off_outputs
from infra.cdk.constructs.images import Image
from infra.cdk.constructs.move_state_machine import MoveStateMachine
from infra.cdk.options import STATE_MACHINE, DeploymentOptions
from infra.cdk.stacks.data import Data
from infra.cdk.stacks.network import Network

PLACE = "ecs"
"""The place of this mover, as in `extraction.deployment.find`."""
EXTRACT = ("python", "-m", "extraction", "extract")


class Mover(Construct):
    """A task that moves one domain to its service and back.

    It runs in the monolith's security group: it reaches the same, and nothing connects to it.
    """

    def __init__(
        self,
        scope: Stack,
        construct_id: str,
        *,
        options: DeploymentOptions,
        domain: str,
        network: Network,
        data: Data,
        listener: str,
        rule: str,
        monolith: str,
        groups: Sequence[str],
    ) -> None:
        """Define it for a domain's listener rule, by ARNs: of the rule, and of target groups."""
        super().__init__(scope, construct_id)
        program = components.mover(domain)
        role = grants.task_role(self, "Role", options=options, program=program)
        grants.grant_mover(role, options=options, domain=domain, rule=rule)
        task = Task(
            self,
            "Task",
            options=options,
            name=program,
            size=components.worker_size(options),
            image=Image(self, "Image", options=options, component=components.TOOLS),
            role=role,
            environment={
                "MOVER": PLACE,
                "AWS_DEFAULT_REGION": Aws.REGION,
                "DATABASE_URL": data.database.application_url,
                "NAME": options.name,
                "TABLE_PREFIX": options.prefix,
                "DOMAIN": domain,
                "CLUSTER": names.cluster(options),
                "LISTENER": listener,
                "LISTENER_RULE": rule,
                "MONOLITH_TARGET_GROUP": monolith,
                "SERVICE_TARGET_GROUPS": Fn.join(",", list(groups)),
            },
            secrets={
                "PGPASSWORD": ecs.Secret.from_secrets_manager(
                    data.database.application_secret, "password"
                )
            },
            command=(*EXTRACT, domain),
            once=True,
        )
        group = network.component_groups[stages.MONOLITH]
        one_off_outputs(scope, task=task, network=network, group=group, prefix=components.MOVER)
        if options.mover == STATE_MACHINE:
            MoveStateMachine(
                scope,
                "StateMachine",
                options=options,
                domain=domain,
                network=network,
                group=group,
                task=task,
            )
