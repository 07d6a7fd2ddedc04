"""The monolith's database: PostgreSQL on RDS."""

import json

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from forum import database_role
from infra.cdk import components, names
from infra.cdk.options import DeploymentOptions

OWNER = "forum"
EXCLUDED = "\"'@/\\ %:#?"
"""Characters that passwords do not have, because URLs and shells give them a meaning."""
ENGINE = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_6)


class Postgres(Construct):
    """A single small instance in a lab; two zones and a month of backups in production.

    Not Aurora Serverless, although it can pause: health checks query the database every few
    seconds, so it would never pause while a task runs, and half a unit of Aurora costs four times
    as much as the small instance. An idle instance can be stopped (see docs/deploy.md).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: DeploymentOptions,
        vpc: ec2.IVpc,
        group: ec2.ISecurityGroup,
        subnets: ec2.SubnetSelection,
    ) -> None:
        super().__init__(scope, construct_id)
        production = options.production
        size = ec2.InstanceSize.MEDIUM if production else ec2.InstanceSize.MICRO
        self.instance = rds.DatabaseInstance(
            self,
            "Instance",
            instance_identifier=options.name,
            engine=ENGINE,
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.BURSTABLE4_GRAVITON, size),
            vpc=vpc,
            vpc_subnets=subnets,
            security_groups=[group],
            credentials=rds.Credentials.from_generated_secret(
                OWNER, secret_name=names.database_secret(options), exclude_characters=EXCLUDED
            ),
            database_name=components.DATABASE,
            # The authority whose certificates are in the image (infra/tools/rds_certificates.py).
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
            # Only connections with TLS.
            parameters={"rds.force_ssl": "1", "log_min_duration_statement": "500"},
            allocated_storage=20,
            max_allocated_storage=100 if production else None,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            multi_az=production,
            backup_retention=Duration.days(30 if production else 1),
            delete_automated_backups=not production,
            auto_minor_version_upgrade=True,
            enable_performance_insights=False,
            cloudwatch_logs_exports=["postgresql"] if production else None,
            deletion_protection=production,
            removal_policy=RemovalPolicy.SNAPSHOT if production else RemovalPolicy.DESTROY,
        )
        self.application_secret = secretsmanager.Secret(
            self,
            "Application",
            secret_name=names.database_application_secret(options),
            description="The monolith's role in the database, which the migration creates",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": database_role.NAME}),
                generate_string_key="password",
                exclude_characters=EXCLUDED,
                password_length=30,
            ),
        )
        if production:
            # Otherwise RDS creates this group itself, with unlimited retention.
            group_name = f"/aws/rds/instance/{options.name}/postgresql"
            made = logs.LogGroup(
                self,
                "Log",
                log_group_name=group_name,
                retention=logs.RetentionDays.ONE_MONTH,
                removal_policy=names.removal(options),
            )
            self.instance.node.add_dependency(made)

    @property
    def owner_secret(self) -> secretsmanager.ISecret:
        """The secret of the database's owner, for the migration alone."""
        assert self.instance.secret is not None  # noqa: S101 - it is generated
        return self.instance.secret

    @property
    def owner_url(self) -> str:
        """The URL for the owner, without the password, which libpq reads from `PGPASSWORD`."""
        return self._url(OWNER)

    @property
    def application_url(self) -> str:
        """The same for the monolith's role."""
        return self._url(database_role.NAME)

    def _url(self, user: str) -> str:
        return (
            f"postgresql+psycopg://{user}@{self.instance.db_instance_endpoint_address}"
            f":{self.instance.db_instance_endpoint_port}/{components.DATABASE}"
            # Only to a server with a certificate for this name.
            f"?sslmode=verify-full&sslrootcert={components.APP}/{components.CERTIFICATES}"
        )
