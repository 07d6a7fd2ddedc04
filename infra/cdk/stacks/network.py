"""The network stack: VPC, security groups, namespace, cluster, and the topic of alarms.

Nothing here depends on the stage, so that a step of the split never changes it. While domains move,
their movers have two more endpoints in production.
"""

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as servicediscovery
from constructs import Construct

from infra import stages
from infra.cdk import components, names
from infra.cdk.constructs.alarms import AlarmTopic
from infra.cdk.constructs.capacity import Instances
from infra.cdk.options import FARGATE_SPOT, DeploymentOptions

AZS = 2
POSTGRES = 5432
NOWHERE = "127.0.0.1/32"
# AWS services that tasks without internet access use: images, logs, secrets, events.
INTERFACES = {
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "Secrets": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "Sns": ec2.InterfaceVpcEndpointAwsService.SNS,
    "Sqs": ec2.InterfaceVpcEndpointAwsService.SQS,
}
# What the movers of domains call besides.
MOVER_INTERFACES = {
    "Ecs": ec2.InterfaceVpcEndpointAwsService.ECS,
    "LoadBalancing": ec2.InterfaceVpcEndpointAwsService.ELASTIC_LOAD_BALANCING,
}
# What the ECS agents of instances call besides.
AGENT_INTERFACES = {
    "Ecs": ec2.InterfaceVpcEndpointAwsService.ECS,
    "EcsAgent": ec2.InterfaceVpcEndpointAwsService.ECS_AGENT,
    "EcsTelemetry": ec2.InterfaceVpcEndpointAwsService.ECS_TELEMETRY,
}
# AWS documents policies for the endpoint of ECS's API alone.
WITHOUT_POLICY = {"EcsAgent", "EcsTelemetry"}


class Network(Stack):
    """VPC in two zones, security groups, the namespace of Service Connect, and the ECS cluster.

    A lab's tasks have public addresses that accept no connections, so they need no NAT gateway,
    except on EC2 instances. In production they have none, and reach AWS through endpoints.
    """

    def __init__(self, scope: Construct, construct_id: str, *, options: DeploymentOptions) -> None:
        super().__init__(scope, construct_id)
        self.options = options
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.20.0.0/16"),
            max_azs=AZS,
            nat_gateways=1 if self._behind_nat else 0,
            # The CDK would empty the unused default security group by a Lambda function.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24
                ),
                ec2.SubnetConfiguration(
                    name="private", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                ),
                *(
                    [
                        ec2.SubnetConfiguration(
                            name="tasks",
                            subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS,
                            cidr_mask=24,
                        )
                    ]
                    if self._behind_nat
                    else []
                ),
            ],
        )
        self._gateways()
        if not options.role:
            self._log_rejected()
        AlarmTopic(self, "Alarms", options=options)
        self.balancer_group = self._group("Balancer", "The load balancer")
        self.component_groups = {
            name: self._group(name.capitalize(), f"Tasks of {name} and of its worker")
            for name in stages.COMPONENTS
        }
        self.database_group = self._group("Database", "PostgreSQL")
        self._allow_connections()
        for group in self.component_groups.values():
            # Also those that no service uses at this stage: an export in use can't be removed.
            self.export_value(group.security_group_id)
        instances = None
        if options.on_instances:
            instances = self._group("Instances", "EC2 instances of the tasks")
            instances.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS")
        if options.production:
            self._endpoints(instances)
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
            enable_fargate_capacity_providers=options.capacity == FARGATE_SPOT,
        )
        if instances:
            Instances(
                self,
                "Instances",
                options=options,
                vpc=self.vpc,
                subnets=self.task_subnets,
                group=instances,
                cluster=self.cluster,
            )

    @property
    def task_subnets(self) -> ec2.SubnetSelection:
        """Return the subnets of the tasks."""
        kind = ec2.SubnetType.PRIVATE_ISOLATED
        if self.options.public_tasks:
            kind = ec2.SubnetType.PUBLIC
        elif self._behind_nat:
            kind = ec2.SubnetType.PRIVATE_WITH_EGRESS
        return ec2.SubnetSelection(subnet_type=kind)

    @property
    def _behind_nat(self) -> bool:
        """Return whether tasks reach AWS through a NAT gateway: those of a lab's instances do."""
        return self.options.on_instances and not self.options.production

    def _group(self, name: str, what: str) -> ec2.SecurityGroup:
        """Create a security group that allows no connections, neither in nor out."""
        return ec2.SecurityGroup(
            self, f"{name}Group", vpc=self.vpc, description=what, allow_all_outbound=False
        )

    def _allow_connections(self) -> None:
        """Allow the connections between components that occur at some stage."""
        ports = (443, 80) if self.options.certificate else (80,)
        for network in self.options.allow:
            for port in ports:
                self.balancer_group.add_ingress_rule(
                    ec2.Peer.ipv4(network), ec2.Port.tcp(port), "Users"
                )
        # Without a rule in the group itself, EC2 would add one that allows everything.
        self.balancer_group.add_egress_rule(
            ec2.Peer.ipv4(NOWHERE), ec2.Port.tcp(80), "Nothing else"
        )
        tasks = ec2.Port.tcp(components.PORT)
        for name, group in self.component_groups.items():
            _connect(self.balancer_group, group, tasks, "Load balancer")
            for other in components.callees(name):
                _connect(group, self.component_groups[other], tasks, f"{name} to {other}")
            # APIs of AWS. In production, only the endpoints are in reach.
            group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS")
        monolith = self.component_groups[stages.MONOLITH]
        _connect(monolith, self.database_group, ec2.Port.tcp(POSTGRES), stages.MONOLITH)

    def _gateways(self) -> None:
        """Create the endpoints of DynamoDB, and of S3, where ECR keeps the layers of images."""
        tables = self.vpc.add_gateway_endpoint(
            "DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB
        )
        tables.add_to_policy(_own_account())
        layers = self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        layers.add_to_policy(
            iam.PolicyStatement(
                sid="ImageLayers",
                principals=[iam.StarPrincipal()],
                actions=["s3:GetObject"],
                # AWS's own bucket, to which ECR refers with signed URLs.
                resources=[f"arn:{self.partition}:s3:::prod-{self.region}-starport-layer-bucket/*"],
            )
        )

    def _endpoints(self, instances: ec2.SecurityGroup | None) -> None:
        group = self._group("Endpoints", "Endpoints of AWS services")
        for name, theirs in self.component_groups.items():
            group.add_ingress_rule(theirs, ec2.Port.tcp(443), name)
        if instances:
            group.add_ingress_rule(instances, ec2.Port.tcp(443), "Instances")
        movers = MOVER_INTERFACES if self.options.moving else {}
        agents = AGENT_INTERFACES if instances else {}
        for name, service in (INTERFACES | movers | agents).items():
            endpoint = self.vpc.add_interface_endpoint(
                name,
                service=service,
                open=False,
                security_groups=[group],
                subnets=self.task_subnets,
            )
            if name not in WITHOUT_POLICY:
                endpoint.add_to_policy(_own_account())

    def _log_rejected(self) -> None:
        """Log rejected traffic; logs of all traffic would cost more than they are worth."""
        group = logs.LogGroup(
            self,
            "Rejected",
            log_group_name=names.log_group(self.options, "network"),
            retention=logs.RetentionDays.ONE_WEEK,
            removal_policy=RemovalPolicy.DESTROY,
        )
        source = f"arn:{self.partition}:ec2:{self.region}:{self.account}:vpc-flow-log/*"
        role = iam.Role(
            self,
            "FlowLogRole",
            assumed_by=iam.ServicePrincipal(
                "vpc-flow-logs.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": self.account},
                    "ArnLike": {"aws:SourceArn": source},
                },
            ),
        )
        self.vpc.add_flow_log(
            "Rejections",
            traffic_type=ec2.FlowLogTrafficType.REJECT,
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role),
        )


def _connect(
    caller: ec2.SecurityGroup, callee: ec2.SecurityGroup, port: ec2.Port, description: str
) -> None:
    """Allow connections at both ends."""
    caller.add_egress_rule(callee, port, description)
    callee.add_ingress_rule(caller, port, description)


def _own_account() -> iam.PolicyStatement:
    """Allow principals of this account to use its resources, and no others, by an endpoint."""
    return iam.PolicyStatement(
        sid="OwnAccount",
        principals=[iam.StarPrincipal()],
        actions=["*"],
        resources=["*"],
        conditions={
            "StringEquals": {"aws:PrincipalAccount": Aws.ACCOUNT_ID},
            # Calls without a resource, such as ecr:GetAuthorizationToken, may lack the key.
            "StringEqualsIfExists": {"aws:ResourceAccount": Aws.ACCOUNT_ID},
        },
    )
