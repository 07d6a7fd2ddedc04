"""The migration of the monolith's schema: a task definition that `infra.cdk.migrate` runs."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from infra import stages
from infra.cdk import components, names
from infra.cdk.constructs.fargate_service import Task, one_off_outputs
from infra.cdk.constructs.images import Image
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks.data import Data
from infra.cdk.stacks.network import Network


class Migration(Stack):
    """A task definition whose tasks, and no others, know the password of the database's owner.

    It runs in the monolith's security group: it reaches the same, and nothing connects to it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: DeploymentOptions,
        network: Network,
        data: Data,
    ) -> None:
        super().__init__(scope, construct_id)
        task = Task(
            self,
            "Migration",
            options=options,
            name=components.MIGRATION,
            size=components.size(options, stages.MONOLITH),
            image=Image(self, "Image", options=options, component=stages.MONOLITH),
            environment={"DATABASE_URL": data.database.owner_url},
            secrets={
                "PGPASSWORD": ecs.Secret.from_secrets_manager(
                    data.database.owner_secret, "password"
                ),
                "APPLICATION_ROLE_PASSWORD": ecs.Secret.from_secrets_manager(
                    data.database.application_secret, "password"
                ),
            },
            command=components.migrate_command(),
            once=True,
        )
        one_off_outputs(
            self, task=task, network=network, group=network.component_groups[stages.MONOLITH]
        )
        CfnOutput(
            self,
            "Next",
            value=f"NAME={options.name} .venv/bin/python -m infra.cdk.migrate",
            description=f"Writes its log to {names.log_group(options, components.MIGRATION)}",
        )
