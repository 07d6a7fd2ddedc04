"""The network stack: VPC, security groups, namespace, cluster, and the topic of alarms.

Nothing here depends on the stage, so that a step of the split never changes it.
"""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as servicediscovery
from constructs import Construct

from infra import stages
from infra.cdk import components, names
from infra.cdk.constructs.alarms import AlarmTopic
from infra.cdk.options import DeploymentOptions

AZS = 2
POSTGRES = 5432
# AWS services that tasks without internet access use: images, logs, secrets, events.
INTERFACES = {
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "Secrets": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "Sns": ec2.InterfaceVpcEndpointAwsService.SNS,
    "Sqs": ec2.InterfaceVpcEndpointAwsService.SQS,
}


class Network(Stack):
    """VPC in two zones, security groups, the namespace of Service Connect, and the ECS cluster.

    A lab's tasks have public addresses that accept no connections, so they need no NAT gateway.
    In production they have none, and reach AWS through endpoints.
    """

    def __init__(self, scope: Construct, construct_id: str, *, options: DeploymentOptions) -> None:
        super().__init__(scope, construct_id)
        self.options = options
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.20.0.0/16"),
            max_azs=AZS,
            nat_gateways=0,
            # The CDK would empty the unused default security group by a Lambda function.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24
                ),
                ec2.SubnetConfiguration(
                    name="private", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                ),
            ],
            gateway_endpoints={
                "DynamoDb": ec2.GatewayVpcEndpointOptions(
                    service=ec2.GatewayVpcEndpointAwsService.DYNAMODB
                ),
                # Image layers are stored in S3.
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
            },
        )
        self._log_rejected()
        AlarmTopic(self, "Alarms", options=options)
        self.balancer_group = self._group("Balancer", "The load balancer")
        self.component_groups = {
            name: self._group(name.capitalize(), f"Tasks of {name} and of its worker")
            for name in stages.COMPONENTS
        }
        self.database_group = self._group("Database", "PostgreSQL", outbound=False)
        self._let_in()
        for group in self.component_groups.values():
            # Also those that no service uses at this stage: an export in use can't be removed.
            self.export_value(group.security_group_id)
        if options.production:
            self._endpoints()
        servicediscovery.HttpNamespace(
            self,
            "Names",
            name=names.namespace(options),
            description=f"Components at <name>.{components.DOMAIN}, by Service Connect",
        )
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=names.cluster(options),
            vpc=self.vpc,
            container_insights_v2=ecs.ContainerInsights.ENABLED,
        )

    @property
    def task_subnets(self) -> ec2.SubnetSelection:
        """Return the subnets of the tasks."""
        kind = ec2.SubnetType.PRIVATE_ISOLATED if self.options.production else ec2.SubnetType.PUBLIC
        return ec2.SubnetSelection(subnet_type=kind)

    def _group(self, name: str, what: str, *, outbound: bool = True) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, f"{name}Group", vpc=self.vpc, description=what, allow_all_outbound=outbound
        )

    def _let_in(self) -> None:
        """Allow the connections between components, for all stages."""
        ports = (443, 80) if self.options.certificate else (80,)
        for network in self.options.allow:
            for port in ports:
                self.balancer_group.add_ingress_rule(
                    ec2.Peer.ipv4(network), ec2.Port.tcp(port), "Users"
                )
        tasks = ec2.Port.tcp(components.PORT)
        for name, group in self.component_groups.items():
            group.add_ingress_rule(self.balancer_group, tasks, "Load balancer")
            for other, theirs in self.component_groups.items():
                if other != name:
                    group.add_ingress_rule(theirs, tasks, other)
        self.database_group.add_ingress_rule(
            self.component_groups[stages.MONOLITH], ec2.Port.tcp(POSTGRES), stages.MONOLITH
        )

    def _endpoints(self) -> None:
        group = self._group("Endpoints", "Endpoints of AWS services", outbound=False)
        for name, theirs in self.component_groups.items():
            group.add_ingress_rule(theirs, ec2.Port.tcp(443), name)
        for name, service in INTERFACES.items():
            self.vpc.add_interface_endpoint(
                name,
                service=service,
                open=False,
                security_groups=[group],
                subnets=self.task_subnets,
            )

    def _log_rejected(self) -> None:
        """Log rejected traffic; logs of all traffic would cost more than they are worth."""
        group = logs.LogGroup(
            self,
            "Rejected",
            log_group_name=names.log_group(self.options, "network"),
            retention=logs.RetentionDays.ONE_WEEK,
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            self, "FlowLogRole", assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com")
        )
        self.vpc.add_flow_log(
            "Rejections",
            traffic_type=ec2.FlowLogTrafficType.REJECT,
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role),
        )
