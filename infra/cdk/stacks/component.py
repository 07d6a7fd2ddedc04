"""The stack of one component: tasks, worker and listener rules. It is deployed on its own."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from chassis.messaging import subscriptions
from infra import stages
from infra.cdk import components, names
from infra.cdk import iam as grants
from infra.cdk.constructs import (
    alarms,
    deployment_strategy,
    listener_rules,
    scaling,
    service_connect,
)
from infra.cdk.constructs.fargate_service import Task, fargate_service
from infra.cdk.constructs.images import Image
from infra.cdk.constructs.mover import Mover
from infra.cdk.options import BLUE_GREEN, DeploymentOptions
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
        self.role = grants.task_role(self, "Role", options=options, program=name)
        grants.grant_component(self.role, options=options, component=name)
        self.settings = self._settings()
        self.secrets = self._secrets()
        self.seen, self.service = self._web()
        self.worker = self._worker() if components.has_worker(options) else None
        if name != stages.MONOLITH:
            alarms.TableAlarms(self, "TableAlarms", options=options, service=name)
        if options.moving and name == stages.MONOLITH:
            # A mover starts only once the monolith's tasks follow the owner.
            moving = stages.as_setting(options.moving)
            CfnOutput(self, components.MOVING, value=moving, description="Domains that may move")
        CfnOutput(self, "Revision", value=self.image.revision, description="As in X-Served-By")

    def _settings(self) -> dict[str, str]:
        variables = components.settings(self.options, self.name, self.image.revision)
        variables["AWS_DEFAULT_REGION"] = self.region
        variables |= grants.bus_settings(self.options, self.name)
        if self.name == stages.MONOLITH:
            variables["DATABASE_URL"] = self.data.database.application_url
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
            mine = self.name if "users" in self.options.moving else signer
            found["SESSION_PRIVATE_KEY"] = field(self.data.signing, names.private_key(mine))
        if self.name == stages.MONOLITH:
            found["PGPASSWORD"] = field(self.data.database.application_secret, "password")
        return found

    def _web(self) -> tuple[alarms.TargetGroupMetrics, ecs.BaseService]:
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
        )
        blue, green = self._target_groups()
        seen = alarms.TargetGroupMetrics(
            component=self.name,
            balancer=self.edge.balancer.load_balancer_full_name,
            target_groups=[each.attr_target_group_full_name for each in (blue, green)],
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
            connect=service_connect.server(options, self.name),
            strategy=deployment_strategy.strategy_arguments(options),
        )
        # By its name, so the dependency must be explicit.
        made.node.add_dependency(watched)
        made.enable_deployment_alarms(
            [watched.failing], behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM
        )
        self._balance(made, task, blue, green)
        if not options.idle:
            scaling.scale_web(made, options=options, size=size, seen=seen)
        return seen, made

    def _target_groups(self) -> tuple[elb.CfnTargetGroup, elb.CfnTargetGroup]:
        """Return the blue and the green target group, the same at every strategy."""

        def create(construct_id: str, colour: str) -> elb.CfnTargetGroup:
            return target_group(
                self,
                construct_id,
                options=self.options,
                network=self.network,
                component=self.name,
                colour=colour,
            )

        # The monolith's is the target of the listener's default action.
        blue = self.edge.monolith if self.name == stages.MONOLITH else create("Targets", "")
        return blue, create("Green", GREEN)

    def _balance(
        self,
        made: ecs.BaseService,
        task: Task,
        blue: elb.CfnTargetGroup,
        green: elb.CfnTargetGroup,
    ) -> None:
        """Attach the service to the load balancer, and route its paths to it."""

        def known(colour: str, group: elb.CfnTargetGroup) -> elb.IApplicationTargetGroup:
            return elb.ApplicationTargetGroup.from_target_group_attributes(
                self, f"{colour}Targets", target_group_arn=group.ref
            )

        groups = listener_rules.TargetGroups(known("Blue", blue), known("Green", green))
        listener = elb.ApplicationListener.from_application_listener_attributes(
            self,
            "Listener",
            listener_arn=self.edge.listener.ref,
            security_group=self.network.balancer_group,
        )
        if self.name != stages.MONOLITH:
            reserved = listener_rules.reserve_target_groups(
                self, component=self.name, listener=listener, groups=groups
            )
            made.node.add_dependency(reserved)
        rules = listener_rules.component_rules(
            self, component=self.name, listener=listener, action=self._route(groups)
        )
        if self.name in self.options.moving:
            self._add_mover(rules, [blue, green])
        if self.options.weighted:
            test = self._test_listener(made, listener, groups)
            self._balance_by_weight(made, task, groups, rules, test)
            return
        self._attach(made, task, groups.blue)
        for rule in rules:
            # CloudFormation completes the creation of a service when its tasks are healthy.
            rule.node.add_dependency(made)

    def _route(self, groups: listener_rules.TargetGroups) -> elb.ListenerAction:
        """Return where the component's paths lead: to itself, unless the monolith still has them.

        A move changes this at the load balancer, and the next stage says the same in the template.
        """
        if self.name == self.options.owner(self.name) or self.name == stages.MONOLITH:
            return listener_rules.forward(groups)
        monolith = elb.ApplicationTargetGroup.from_target_group_attributes(
            self, "Monolith", target_group_arn=self.edge.monolith.ref
        )
        return elb.ListenerAction.weighted_forward(
            [elb.WeightedTargetGroup(target_group=monolith, weight=100)]
        )

    def _add_mover(
        self,
        rules: list[elb.ApplicationListenerRule],
        groups: list[elb.CfnTargetGroup],
    ) -> None:
        """Add the task that moves the domain; a move changes one rule."""
        (rule,) = rules
        Mover(
            self,
            "Mover",
            options=self.options,
            domain=self.name,
            network=self.network,
            data=self.data,
            listener=self.edge.listener.ref,
            rule=rule.listener_rule_arn,
            monolith=self.edge.monolith.ref,
            groups=[each.ref for each in groups],
        )

    def _balance_by_weight(
        self,
        made: ecs.BaseService,
        task: Task,
        groups: listener_rules.TargetGroups,
        rules: list[elb.ApplicationListenerRule],
        test: ecs.ListenerRuleConfiguration | None,
    ) -> None:
        """Let ECS shift the weights of the component's rule, which it needs before the service.

        `test` is the listener rule of the test traffic, with blue-green.

        Raises:
            ValueError: the component has several routes, and ECS could shift only one.
        """
        if len(rules) != 1:
            msg = f"{self.name} has {len(rules)} routes; a strategy with weights takes one"
            raise ValueError(msg)
        (rule,) = rules
        made.node.add_dependency(rule)
        alternate = ecs.AlternateTarget(
            "Alternate",
            alternate_target_group=groups.green,
            production_listener=ecs.ListenerRuleConfiguration.application_listener_rule(rule),
            test_listener=test,
        )
        self._attach(made, task, groups.blue, alternate)

    def _test_listener(
        self,
        made: ecs.BaseService,
        listener: elb.IApplicationListener,
        groups: listener_rules.TargetGroups,
    ) -> ecs.ListenerRuleConfiguration | None:
        """Create the listener rule of the test traffic, with blue-green, and pause after it."""
        if self.options.strategy != BLUE_GREEN:
            return None
        rule = listener_rules.rule_for_test_traffic(
            self, component=self.name, listener=listener, groups=groups
        )
        made.node.add_dependency(rule)
        deployment_strategy.pause_for_validation(made)
        return ecs.ListenerRuleConfiguration.application_listener_rule(rule)

    def _attach(
        self,
        made: ecs.BaseService,
        task: Task,
        group: elb.IApplicationTargetGroup,
        alternate: ecs.AlternateTarget | None = None,
    ) -> None:
        made.load_balancer_target(
            container_name=task.container.container_name,
            container_port=components.PORT,
            alternate_target=alternate,
        ).attach_to_application_target_group(group)

    def _worker(self) -> ecs.BaseService:
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
            connect=service_connect.client(options),
        )
        # Tasks that serve are only ready once the schema, which their worker needs too, is recent.
        made.node.add_dependency(self.service)
        alarms.WorkerAlarms(
            self, "WorkerAlarms", options=options, component=self.name, log=task.log
        )
        # A move stops the worker, and scaling would start it again.
        if not options.idle and self.name not in options.moving:
            queue = subscriptions.Subscription(self.name, ()).queue_name(options.prefix)
            scaling.scale_worker(made, options=options, size=size, queue=queue, program=name)
        return made
