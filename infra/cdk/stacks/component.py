"""The stack of one component: tasks, worker and listener rules. It is deployed on its own."""

from aws_cdk import CfnOutput, Duration, Fn, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_servicediscovery as servicediscovery
from constructs import Construct

from chassis.messaging import subscriptions
from infra import stages
from infra.cdk import components, names
from infra.cdk import iam as grants
from infra.cdk.constructs import alarms, deployment_strategy, listener_rules, scaling
from infra.cdk.constructs.fargate_service import Task, fargate_service
from infra.cdk.constructs.images import Image
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks.data import Data
from infra.cdk.stacks.load_balancer import LoadBalancer, target_group
from infra.cdk.stacks.network import Network
from infra.runner.config import worker_name

GREEN = "green"


class ComponentStack(Stack):
    """The stack of the monolith or of a service."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        options: DeploymentOptions,
        name: str,
        network: Network,
        data: Data,
        edge: LoadBalancer,
    ) -> None:
        super().__init__(scope, construct_id)
        self.options, self.name = options, name
        self.network, self.data, self.edge = network, data, edge
        self.group = network.component_groups[name]
        self.image = Image(self, "Image", options=options, component=name)
        self.role = iam.Role(
            self,
            "Role",
            role_name=names.role(options, name),
            assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"),
            description=f"What tasks of {name} may do",
        )
        grants.grant_component(self.role, options=options, component=name)
        self.settings = self._settings()
        self.secrets = self._secrets()
        self.seen, self.service = self._web()
        self.worker = self._worker() if components.has_worker(options) else None
        if name != stages.MONOLITH:
            alarms.TableAlarms(self, "TableAlarms", options=options, service=name)
        CfnOutput(self, "Revision", value=self.image.revision, description="As in X-Served-By")

    def _settings(self) -> dict[str, str]:
        variables = components.settings(self.options, self.name, self.image.revision)
        variables["AWS_DEFAULT_REGION"] = self.region
        variables |= grants.bus_settings(self.options, self.name)
        if self.name == stages.MONOLITH:
            variables["DATABASE_URL"] = self.data.database.url
        return variables

    def _secrets(self) -> dict[str, ecs.Secret]:
        """Return references to the secrets of the containers; no template contains a secret."""

        def field(secret: secretsmanager.ISecret, key: str) -> ecs.Secret:
            return ecs.Secret.from_secrets_manager(secret, key)

        signer = self.options.owner("users")
        found = {
            "SECRET_KEY": field(self.data.shared, "secret_key"),
            "SESSION_PUBLIC_KEYS": field(self.data.shared, names.public_keys(signer)),
        }
        if components.signs_sessions(self.options, self.name):
            found["SESSION_PRIVATE_KEY"] = field(self.data.signing, names.private_key(signer))
        if self.name == stages.MONOLITH:
            found["PGPASSWORD"] = field(self.data.database.secret, "password")
        return found

    def _web(self) -> tuple[alarms.TargetGroupMetrics, ecs.FargateService]:
        """Create the component's web service behind the load balancer."""
        options, size = self.options, components.size(self.options, self.name)
        task = Task(
            self,
            "Web",
            options=options,
            name=self.name,
            size=size,
            image=self.image,
            role=self.role,
            environment=self.settings,
            secrets=self.secrets,
            first=components.migrate_command() if self.name == stages.MONOLITH else None,
        )
        group = self._target_group()
        seen = alarms.TargetGroupMetrics(
            balancer=self.edge.balancer.load_balancer_full_name,
            target_group=group.attr_target_group_full_name,
        )
        watched = alarms.WebAlarms(self, "Alarms", options=options, name=self.name, seen=seen)
        if components.called(options, self.name):
            alarms.ClockAlarm(
                self, "ClockAlarm", options=options, component=self.name, log=task.log
            )
        made = fargate_service(
            self,
            "Service",
            options=options,
            network=self.network,
            name=self.name,
            task=task,
            group=self.group,
            balanced=True,
            cloud_map=None if options.weighted else self._registered(task),
            connect=deployment_strategy.service_connect(self.name) if options.weighted else None,
            strategy=deployment_strategy.strategy_arguments(options),
        )
        made.enable_deployment_alarms(
            [watched.failing.alarm_name], behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM
        )
        self._balance(made, task, group)
        if not options.idle:
            label = Fn.join("/", [seen.balancer, seen.target_group])
            scaling.scale_web(made, options=options, size=size, label=label)
        return seen, made

    def _target_group(self) -> elb.CfnTargetGroup:
        if self.name == stages.MONOLITH:
            return self.edge.monolith
        return target_group(
            self, "Targets", options=self.options, network=self.network, component=self.name
        )

    def _registered(self, task: Task) -> ecs.CloudMapOptions:
        return ecs.CloudMapOptions(
            cloud_map_namespace=self.network.namespace,
            name=self.name,
            container=task.container,
            dns_record_type=servicediscovery.DnsRecordType.A,
            dns_ttl=Duration.seconds(components.DNS_SECONDS),
        )

    def _balance(self, made: ecs.FargateService, task: Task, group: elb.CfnTargetGroup) -> None:
        """Attach the service to the load balancer, and route its paths once it is healthy."""
        if self.options.weighted:
            self._balance_by_weight(made, task, group)
            return
        listener = self.edge.listener.ref
        known = elb.ApplicationTargetGroup.from_target_group_attributes(
            self, "Attached", target_group_arn=group.ref
        )
        self._attach(made, task, known)
        if self.name == stages.MONOLITH:
            return  # the default action
        held = listener_rules.reserve_target_group(
            self, component=self.name, listener=listener, target_group=group.ref
        )
        made.node.add_dependency(held)
        for rule in listener_rules.component_rules(
            self, component=self.name, listener=listener, target_group=group.ref
        ):
            # CloudFormation completes the creation of a service when its tasks are healthy.
            rule.node.add_dependency(made)

    def _balance_by_weight(
        self, made: ecs.FargateService, task: Task, blue: elb.CfnTargetGroup
    ) -> None:
        """Route the paths to two target groups, between which ECS shifts the weights."""
        green = target_group(
            self,
            "Green",
            options=self.options,
            network=self.network,
            component=self.name,
            colour=GREEN,
        )
        targets = {
            colour: elb.ApplicationTargetGroup.from_target_group_attributes(
                self, f"{colour.capitalize()}Targets", target_group_arn=arn
            )
            for colour, arn in (("blue", blue.ref), (GREEN, green.ref))
        }
        rule = listener_rules.weighted_rule(
            self,
            component=self.name,
            listener=elb.ApplicationListener.from_application_listener_attributes(
                self,
                "Listener",
                listener_arn=self.edge.listener.ref,
                security_group=self.network.balancer_group,
            ),
            blue=targets["blue"],
            green=targets[GREEN],
        )
        made.node.add_dependency(rule)
        alternate = ecs.AlternateTarget(
            "Alternate",
            alternate_target_group=targets[GREEN],
            production_listener=ecs.ListenerRuleConfiguration.application_listener_rule(rule),
        )
        self._attach(made, task, targets["blue"], alternate)

    def _attach(
        self,
        made: ecs.FargateService,
        task: Task,
        group: elb.IApplicationTargetGroup,
        alternate: ecs.AlternateTarget | None = None,
    ) -> None:
        made.load_balancer_target(
            container_name=task.container.container_name,
            container_port=components.PORT,
            alternate_target=alternate,
        ).attach_to_application_target_group(group)

    def _worker(self) -> ecs.FargateService:
        """Create the component's worker, which publishes its events and applies those of others."""
        options, size = self.options, components.worker_size(self.options)
        name = worker_name(self.name)
        task = Task(
            self,
            "WorkerTask",
            options=options,
            name=name,
            size=size,
            image=self.image,
            role=self.role,
            environment=components.with_heartbeat(self.settings),
            secrets=self.secrets,
            command=components.worker_command(self.name),
            beats=True,
        )
        made = fargate_service(
            self,
            "Worker",
            options=options,
            network=self.network,
            name=name,
            task=task,
            group=self.group,
            balanced=False,
            connect=deployment_strategy.service_connect_client() if options.weighted else None,
        )
        # The monolith's first task migrates the schema that its worker needs.
        made.node.add_dependency(self.service)
        alarms.WorkerAlarms(
            self, "WorkerAlarms", options=options, component=self.name, log=task.log
        )
        if not options.idle:
            queue = subscriptions.Subscription(self.name, ()).queue_name(options.prefix)
            scaling.scale_worker(made, options=options, size=size, queue=queue, program=name)
        return made
