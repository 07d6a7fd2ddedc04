"""The state machine that moves a domain, with the option `mover=state-machine`.

Each phase is a task of the mover, and can be repeated. A person approves the cutover; whatever
fails before the owner has changed cancels the move.
"""

from aws_cdk import Aws, CfnOutput, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.cdk import components, names
from infra.cdk.constructs.fargate_service import Task
from infra.cdk.options import DeploymentOptions
from infra.cdk.stacks.network import Network

DIRECTION = "direction"
DIRECTIONS = ("extract", "reintegrate")
BEFORE_APPROVAL = ("prepare", "backfill", "catch-up", "verify")
# People go on writing until the approval.
AFTER_APPROVAL = ("catch-up", "cutover")
REFUSED = "Refused"
APPROVAL_TIME, PHASE_TIME = Duration.days(1), Duration.days(2)
_RECORD = [
    *(f"logs:{action}LogDelivery" for action in ("Create", "Delete", "Get", "Update")),
    *("logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:ListLogDeliveries"),
    *("logs:PutResourcePolicy", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
    *("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
]


class MoveStateMachine(Construct):
    """A state for each phase, an approval before the cutover, and the way back.

    Its input is `{"direction": "extract"}`, or `reintegrate`. It moves the domain of its mover,
    which it runs in the given security group.
    """

    def __init__(
        self,
        scope: Stack,
        construct_id: str,
        *,
        options: DeploymentOptions,
        domain: str,
        network: Network,
        group: ec2.ISecurityGroup,
        task: Task,
    ) -> None:
        super().__init__(scope, construct_id)
        self._options, self._domain = options, domain
        self._network, self._group, self._task = network, group, task
        name = names.state_machine(options, domain)
        role = iam.Role(
            self,
            "Role",
            role_name=f"{name}-{Aws.REGION}",
            assumed_by=iam.ServicePrincipal(
                "states.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            ),
            description=f"Permissions of the state machine {name}",
        )
        self._topic = self._approvals()
        self._grant(role)
        machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            definition_body=sfn.DefinitionBody.from_chainable(self._start()),
            # The CDK would permit it to stop the tasks of others.
            role=role.without_policy_updates(),
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Log",
                    # This prefix does not use up the size of CloudWatch's resource policy.
                    log_group_name=f"/aws/vendedlogs/states/{name}",
                    retention=logs.RetentionDays.ONE_MONTH,
                    removal_policy=names.removal(options),
                ),
                level=sfn.LogLevel.ALL,
            ),
            tracing_enabled=True,
        )
        machine.node.add_dependency(role)
        CfnOutput(
            scope,
            components.MOVER + components.STATE_MACHINE,
            value=machine.state_machine_arn,
            description="To move the domain",
        )

    def _approvals(self) -> sns.Topic:
        """Create the topic that asks for approvals, with an optional subscription by e-mail."""
        topic = sns.Topic(
            self,
            "Approvals",
            topic_name=names.state_machine(self._options, self._domain),
            master_key=kms.Alias.from_alias_name(self, "Key", "alias/aws/sns"),
            enforce_ssl=True,
        )
        if self._options.email:
            sns.CfnSubscription(
                self,
                "Email",
                topic_arn=topic.topic_arn,
                protocol="email",
                endpoint=self._options.email,
            )
        return topic

    def _grant(self, role: iam.Role) -> None:
        """Permit to run this mover, to ask for an approval, and to record what happens."""
        definition = self._task.definition
        here = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
        cluster = names.cluster(self._options)
        for sid, actions, resources in (
            ("Run", ["ecs:RunTask"], [definition.task_definition_arn]),
            (
                "Watch",
                ["ecs:DescribeTasks", "ecs:StopTask"],
                [f"arn:{Aws.PARTITION}:ecs:{here}:task/{cluster}/*"],
            ),
            (
                "Pass",
                ["iam:PassRole"],
                [definition.task_role.role_arn, definition.obtain_execution_role().role_arn],
            ),
            # By this rule, Step Functions learns that a task has stopped.
            (
                "Learn",
                ["events:DescribeRule", "events:PutRule", "events:PutTargets"],
                [f"arn:{Aws.PARTITION}:events:{here}:rule/StepFunctionsGetEventsForECSTaskRule"],
            ),
            ("Ask", ["sns:Publish"], [self._topic.topic_arn]),
            # AWS takes no resource for these.
            ("Record", _RECORD, ["*"]),
        ):
            role.add_to_principal_policy(
                iam.PolicyStatement(sid=sid, actions=actions, resources=resources)
            )

    def _start(self) -> sfn.Chain:
        """Return the states, beginning with the direction and the commands of its phases."""
        wait = sfn.Wait(
            self,
            "Wait for filters",
            comment="Meanwhile, SNS may drop events by the former filter policies.",
            time=sfn.WaitTime.duration(Duration.minutes(components.FILTER_MINUTES)),
        )
        start = sfn.Choice(self, "Start")
        for direction in DIRECTIONS:
            known = sfn.Pass(
                self,
                direction.capitalize(),
                result=sfn.Result.from_object(self._commands(direction)),
            )
            given = sfn.Condition.is_present(f"$.{DIRECTION}")
            named = sfn.Condition.string_equals(f"$.{DIRECTION}", direction)
            start.when(sfn.Condition.and_(given, named), known)
            known.next(wait)
        wrong = f"{DIRECTION} must be one of {', '.join(DIRECTIONS)}"
        start.otherwise(sfn.Fail(self, "Wrong input", error="WrongInput", cause=wrong))
        wait.next(self._phases())
        return sfn.Chain.start(start)

    def _commands(self, direction: str) -> dict[str, object]:
        """Return the mover's command for each phase."""
        phases = dict.fromkeys((*BEFORE_APPROVAL, *AFTER_APPROVAL, "soak"))
        command = ("python", "-m", "extraction")
        return {
            DIRECTION: direction,
            "cancel": [*command, "cancel", self._domain],
            **{each: [*command, direction, self._domain, "--phase", each] for each in phases},
        }

    def _phases(self) -> sfn.Chain:
        soak = self._run("Soak", "soak")
        # Another move holds the lock for as long as one of its phases takes.
        cancel = self._run("Cancel", "cancel", attempts=30)
        cancel.next(
            sfn.Fail(self, "Cancelled", error="Cancelled", cause="The domain has its former owner.")
        )
        # A cutover that failed after the owner had changed can't be cancelled, only finished.
        cancel.add_catch(soak, result_path=sfn.JsonPath.DISCARD)
        states: list[tasks.EcsRunTask | tasks.SnsPublish] = [
            *(self._run(phase.capitalize(), phase) for phase in BEFORE_APPROVAL),
            self._approval(),
            *(self._run(f"{phase.capitalize()} now", phase) for phase in AFTER_APPROVAL),
        ]
        for each in states:
            each.add_catch(cancel, result_path=sfn.JsonPath.DISCARD)
        chain = sfn.Chain.start(states[0])
        for each in states[1:]:
            chain = chain.next(each)
        return chain.next(soak).next(sfn.Succeed(self, "Moved"))

    def _run(self, construct_id: str, phase: str, attempts: int = 2) -> tasks.EcsRunTask:
        """Return a state that runs the mover until it ends; a killed one is run again."""
        state = tasks.EcsRunTask(
            self,
            construct_id,
            integration_pattern=sfn.IntegrationPattern.RUN_JOB,
            cluster=self._network.cluster,
            task_definition=self._task.definition,
            launch_target=tasks.EcsFargateLaunchTarget(
                platform_version=ecs.FargatePlatformVersion.LATEST
            ),
            container_overrides=[
                tasks.ContainerOverride(
                    container_definition=self._task.container,
                    command=sfn.JsonPath.list_at(f"$.{phase}"),
                )
            ],
            assign_public_ip=self._options.public_tasks,
            subnets=self._network.task_subnets,
            security_groups=[self._group],
            task_timeout=sfn.Timeout.duration(PHASE_TIME),
            result_path=sfn.JsonPath.DISCARD,
        )
        state.add_retry(
            max_attempts=attempts,
            interval=Duration.seconds(10),
            max_delay=Duration.minutes(5),
        )
        return state

    def _approval(self) -> tasks.SnsPublish:
        """Return a state that waits until a person has sent one of two commands."""

        def command(name: str) -> str:
            text = f"aws stepfunctions {name} --task-token {{}}"
            return sfn.JsonPath.format(text, sfn.JsonPath.task_token)

        state = tasks.SnsPublish(
            self,
            "Approve",
            integration_pattern=sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN,
            topic=self._topic,
            subject=f"{self._domain} can move",
            message=sfn.TaskInput.from_object(
                {
                    "approve": command("send-task-success --task-output true"),
                    "refuse": command(f"send-task-failure --error {REFUSED}"),
                }
            ),
            task_timeout=sfn.Timeout.duration(APPROVAL_TIME),
            result_path=sfn.JsonPath.DISCARD,
        )
        state.add_retry(errors=[REFUSED, sfn.Errors.TIMEOUT], max_attempts=0)
        state.add_retry(max_attempts=3, interval=Duration.seconds(10))
        return state
