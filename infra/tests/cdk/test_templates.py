"""Properties of the templates: permissions, deployments, scaling and alarms."""

import re
from pathlib import Path
from typing import Any

import pytest

from infra import stages
from infra.cdk import components, synth
from infra.cdk.constructs import deployment_strategy, firewall, listener_rules, scaling
from infra.cdk.options import OptionsError, read_options
from infra.runner.config import worker_name
from infra.tests.cdk.templates import CERTIFICATE, Templates, settings, templates, texts

PROGRAMS = (*stages.COMPONENTS, *map(worker_name, stages.COMPONENTS))
LAB, PRODUCTION = templates(), templates(environment="production")


def kinds(made: Templates) -> set[str]:
    """Return the types of all resources."""
    return {
        resource["Type"]
        for stack in made.stacks.values()
        for resource in stack["Resources"].values()
    }


def statements(made: Templates, stack: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in made.all("AWS::IAM::Policy", stack)
        for statement in policy["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_container_has_minimal_rights(made: Templates, program: str) -> None:
    task, container = made.task(program), made.container(program)
    assert task["NetworkMode"] == "awsvpc"
    assert task["RequiresCompatibilities"] == ["FARGATE"]
    assert task["RuntimePlatform"]["CpuArchitecture"] == "X86_64"
    for each in task["ContainerDefinitions"]:
        assert each["ReadonlyRootFilesystem"] is True
        assert each["User"] == "10001:10001"
        assert each["Privileged"] is False
        assert each["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        options = each["LogConfiguration"]["Options"]
        assert options["mode"] == "non-blocking"
        assert "max-buffer-size" in options
    assert "MountPoints" not in container
    assert made.service(program)["EnableExecuteCommand"] is False
    for group in made.all("AWS::Logs::LogGroup"):
        assert group["RetentionInDays"] <= 30


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_component_gets_only_its_secrets_by_reference(program: str) -> None:
    container = LAB.container(program)
    component = program.removesuffix("-worker")
    wanted = {"SECRET_KEY", "SESSION_PUBLIC_KEYS"}
    wanted |= {"SESSION_PRIVATE_KEY"} if component == "users" else set()
    wanted |= {"PGPASSWORD"} if component == stages.MONOLITH else set()
    assert {each["Name"] for each in container["Secrets"]} == wanted
    assert not wanted & settings(container).keys()
    assert "password" not in texts(settings(container)).lower()


def test_monolith_has_the_signing_key_while_it_owns_users() -> None:
    alone = templates(extracted="threads").container(stages.MONOLITH)
    assert "SESSION_PRIVATE_KEY" in {each["Name"] for each in alone["Secrets"]}


@pytest.mark.parametrize(("extracted", "signer"), [("threads", "monolith"), ("users", "users")])
def test_sessions_belong_to_the_owner_of_the_accounts(extracted: str, signer: str) -> None:
    made = templates(extracted=extracted)
    for component in (stages.MONOLITH, extracted):
        secrets = {s["Name"]: texts(s["ValueFrom"]) for s in made.container(component)["Secrets"]}
        assert f":{signer}_session_public_keys::" in secrets["SESSION_PUBLIC_KEYS"]
        if component == signer:
            assert f":{signer}_session_private_key::" in secrets["SESSION_PRIVATE_KEY"]


@pytest.mark.parametrize("name", stages.COMPONENTS)
def test_component_has_permissions_for_its_own_resources_only(name: str) -> None:
    by_sid = {each["Sid"]: each for each in statements(LAB, name) if "Sid" in each}
    tables = texts(by_sid["OwnTables"]["Resource"]) if "OwnTables" in by_sid else ""
    for service in stages.DOMAINS:
        for table in LAB.all("AWS::DynamoDB::Table", "data"):
            own = table["TableName"].startswith(f"forum-{service}")
            if own:
                assert (f":table/{table['TableName']}" in tables) == (service == name)
    queues = [texts(each).rpartition(":")[2] for each in by_sid["OwnQueues"]["Resource"]]
    assert queues == [f"forum-{name}", f"forum-{name}-dead-letters"]
    assert by_sid["Events"]["Action"] == "sns:Publish"
    assert texts(by_sid["Events"]["Resource"]).endswith(":forum-events")


@pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])
def test_wildcards_appear_only_where_aws_requires_them(made: Templates) -> None:
    for stack in made.stacks.values():
        for resource in stack["Resources"].values():
            if resource["Type"] != "AWS::IAM::Policy":
                continue
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                if statement["Resource"] == "*":
                    assert statement["Action"] == "ecr:GetAuthorizationToken"
                else:
                    assert "*" not in texts(statement["Resource"])
                assert "*" not in texts(statement["Action"])


def test_exec_is_for_a_lab_and_opens_the_file_system_it_needs() -> None:
    opened = templates(exec="on")
    assert opened.service("posts")["EnableExecuteCommand"] is True
    assert opened.container("posts")["ReadonlyRootFilesystem"] is False


@pytest.mark.parametrize("program", PROGRAMS)
def test_deployment_that_fails_is_rolled_back(program: str) -> None:
    configuration = LAB.service(program)["DeploymentConfiguration"]
    assert configuration["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert configuration["MinimumHealthyPercent"] == 100
    assert configuration["MaximumPercent"] == 200
    if not program.endswith("-worker"):
        assert configuration["Alarms"] == {
            "AlarmNames": [f"forum-{program}-failing"],
            "Enable": True,
            "Rollback": True,
        }
        # ECS needs the alarm when it creates the service.
        [needed] = [
            each["DependsOn"]
            for each in LAB.stack(program)["Resources"].values()
            if each["Type"] == "AWS::ECS::Service"
            if each["Properties"]["ServiceName"] == program
        ]
        alarms = [LAB.stack(program)["Resources"][each] for each in needed]
        assert f"forum-{program}-failing" in {
            each["Properties"].get("AlarmName") for each in alarms
        }
    assert LAB.service(program)["AvailabilityZoneRebalancing"] == "ENABLED"
    # A deployment does not undo what scaling decided.
    assert "DesiredCount" not in LAB.service(program)


def _per_task(policy: dict[str, Any]) -> tuple[str, str, str, int]:
    """Return what a policy divides by the running tasks: metric, statistic, program and target."""
    metrics = {each["Id"]: each for each in policy["CustomizedMetricSpecification"]["Metrics"]}
    each, running = metrics.pop("each"), metrics.pop("running")
    total = " + ".join(f"FILL({name}, 0)" for name in metrics)
    assert each["Expression"] == f"({total}) / IF(running > 0, running, 1)"
    assert each["ReturnData"] is True
    assert not any(one["ReturnData"] for one in (*metrics.values(), running))
    [(metric, statistic)] = {
        (one["MetricStat"]["Metric"]["MetricName"], one["MetricStat"]["Stat"])
        for one in metrics.values()
    }
    of_tasks = running["MetricStat"]["Metric"]
    assert of_tasks["MetricName"] == "RunningTaskCount"
    [program] = [one["Value"] for one in of_tasks["Dimensions"] if one["Name"] == "ServiceName"]
    return metric, statistic, program, policy["TargetValue"]


@pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])
def test_everything_scales_between_its_bounds(made: Templates) -> None:
    targets = list(made.all("AWS::ApplicationAutoScaling::ScalableTarget"))
    assert len(targets) == len(PROGRAMS)
    for target in targets:
        assert 1 <= target["MinCapacity"] <= target["MaxCapacity"]
    policies = [
        policy["TargetTrackingScalingPolicyConfiguration"]
        for policy in made.all("AWS::ApplicationAutoScaling::ScalingPolicy")
    ]
    cpu = [each for each in policies if "PredefinedMetricSpecification" in each]
    assert [each["PredefinedMetricSpecification"]["PredefinedMetricType"] for each in cpu] == [
        "ECSServiceAverageCPUUtilization"
    ] * len(stages.COMPONENTS)
    messages = "ApproximateNumberOfMessagesVisible"
    assert {_per_task(each) for each in policies if each not in cpu} == {
        *(("RequestCount", "Sum", each, scaling.REQUESTS_PER_TARGET) for each in stages.COMPONENTS),
        *(
            (messages, "Average", worker_name(each), scaling.BACKLOG_PER_TASK)
            for each in stages.COMPONENTS
        ),
    }


def test_production_has_redundant_tasks_and_no_public_addresses() -> None:
    for name in stages.COMPONENTS:
        assert components.size(PRODUCTION.options, name).min_tasks >= 2
    for service in PRODUCTION.all("AWS::ECS::Service"):
        configuration = service["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert configuration["AssignPublicIp"] == "DISABLED"
    database = PRODUCTION.one("AWS::RDS::DBInstance")
    assert database["MultiAZ"] is True
    assert database["DeletionProtection"] is True
    for table in PRODUCTION.all("AWS::DynamoDB::Table"):
        assert table["DeletionProtectionEnabled"] is True


@pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])
def test_data_is_encrypted_and_recoverable(made: Templates) -> None:
    for table in made.all("AWS::DynamoDB::Table"):
        assert table["SSESpecification"]["SSEEnabled"] is True
        recovery = table["PointInTimeRecoverySpecification"]
        assert recovery["PointInTimeRecoveryEnabled"] is True
    database = made.one("AWS::RDS::DBInstance")
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["BackupRetentionPeriod"] >= 1


def test_no_nat_gateway_is_created() -> None:
    for made in (LAB, PRODUCTION):
        assert not list(made.all("AWS::EC2::NatGateway"))
    reached = {texts(e["ServiceName"]) for e in PRODUCTION.all("AWS::EC2::VPCEndpoint")}
    for name in ("ecr.api", "ecr.dkr", "logs", "secretsmanager", "sns", "sqs", "dynamodb", "s3"):
        assert any(each.endswith(f".{name}") for each in reached), name
    assert len(list(LAB.all("AWS::EC2::Subnet"))) == 4


def test_production_redirects_http_to_https() -> None:
    listeners = PRODUCTION.all("AWS::ElasticLoadBalancingV2::Listener")
    by_port = {each["Port"]: each for each in listeners}
    assert by_port[443]["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert by_port[443]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13")
    (action,) = by_port[80]["DefaultActions"]
    assert action["RedirectConfig"]["Protocol"] == "HTTPS"
    (plain,) = LAB.all("AWS::ElasticLoadBalancingV2::Listener")
    assert (plain["Port"], plain["Protocol"]) == (80, "HTTP")
    assert "ListenerAttributes" not in plain


def test_browsers_stay_with_https() -> None:
    listeners = PRODUCTION.all("AWS::ElasticLoadBalancingV2::Listener")
    (secure,) = (each for each in listeners if each["Protocol"] == "HTTPS")
    (attribute,) = secure["ListenerAttributes"]
    assert attribute["Key"] == "routing.http.response.strict_transport_security.header_value"
    name, _, seconds = attribute["Value"].partition("=")
    assert (name, int(seconds) >= 15_552_000) == ("max-age", True)


def test_a_firewall_protects_production_only() -> None:
    assert not [kind for kind in kinds(LAB) if kind.startswith("AWS::WAF")]
    resources = PRODUCTION.stack("edge")["Resources"]
    (acl,) = (key for key, each in resources.items() if each["Type"] == "AWS::WAFv2::WebACL")
    (balancer,) = (
        key
        for key, each in resources.items()
        if each["Type"] == "AWS::ElasticLoadBalancingV2::LoadBalancer"
    )
    arn = {"Fn::GetAtt": [acl, "Arn"]}
    assert PRODUCTION.one("AWS::WAFv2::WebACLAssociation") == {
        "ResourceArn": {"Ref": balancer},
        "WebACLArn": arn,
    }
    properties = PRODUCTION.one("AWS::WAFv2::WebACL")
    assert properties["DefaultAction"] == {"Allow": {}}
    rate, *managed = properties["Rules"]
    assert rate["Action"] == {"Block": {}}
    limit = rate["Statement"]["RateBasedStatement"]
    assert (limit["AggregateKeyType"], limit["Limit"]) == ("IP", firewall.REQUESTS_PER_ADDRESS)
    counted = {}
    for rule in managed:
        assert rule["OverrideAction"] == {"None": {}}
        group = rule["Statement"]["ManagedRuleGroupStatement"]
        assert group["VendorName"] == "AWS"
        overrides = group.get("RuleActionOverrides", [])
        assert all(each["ActionToUse"] == {"Count": {}} for each in overrides)
        counted[group["Name"]] = {each["Name"] for each in overrides}
    assert counted.keys() == {
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
    }
    # Texts of posts are long, and may be about attacks.
    assert "SizeRestrictions_BODY" in counted["AWSManagedRulesCommonRuleSet"]
    assert all(name.endswith("_BODY") for names in counted.values() for name in names)
    logged = PRODUCTION.one("AWS::WAFv2::LoggingConfiguration")
    assert logged["ResourceArn"] == arn
    (destination,) = logged["LogDestinationConfigs"]
    assert texts(destination).endswith(":log-group:aws-waf-logs-forum")
    assert "aws-waf-logs-forum" in {
        group["LogGroupName"] for group in PRODUCTION.all("AWS::Logs::LogGroup", "edge")
    }


def test_stages_share_the_same_network_and_edge_stacks() -> None:
    for extracted in ("", "users", "threads,posts"):
        assert templates(extracted=extracted).stack("network") == LAB.stack("network")
        assert templates(extracted=extracted).stack("edge") == LAB.stack("edge")


@pytest.mark.parametrize("name", stages.DOMAINS)
def test_service_is_deployed_alone(name: str) -> None:
    """No stack refers to stage-dependent resources of another stack."""
    others = [s for n, s in LAB.stacks.items() if n not in {f"forum-{name}", "forum-watch"}]
    assert f"forum-{name}:" not in texts(others)


def test_alarms_cover_every_component_and_are_on_the_dashboard() -> None:
    found = {each["AlarmName"] for each in LAB.all("AWS::CloudWatch::Alarm")}
    for name in stages.COMPONENTS:
        assert {
            f"forum-{name}-{what}" for what in ("failing", "slow", "unhealthy", "down")
        } <= found
        workers = ("deadletters", "queue", "outbox")
        assert {f"forum-{name}-worker-{what}" for what in workers} <= found
    for name in stages.DOMAINS:
        assert f"forum-{name}-throttled1" in found
    database = {f"forum-database-{what}" for what in ("cpu", "storage", "connections")}
    assert {"forum-balancer-failing", *database} <= found
    board = texts(LAB.one("AWS::CloudWatch::Dashboard")["DashboardBody"])
    for alarm in found:
        assert f':alarm:{alarm}"' in board, alarm


CALLERS = ("monolith", "threads", "posts")
"""The components that call others, and so can compare clocks."""


def log_metrics(made: Templates) -> set[tuple[str, str, str]]:
    """Return the metrics from logs: the program whose log it is, the pattern and the name."""
    found = set()
    for stack in made.stacks.values():
        resources = stack.get("Resources", {})
        for resource in resources.values():
            if resource["Type"] != "AWS::Logs::MetricFilter":
                continue
            properties = resource["Properties"]
            log = resources[properties["LogGroupName"]["Ref"]]["Properties"]["LogGroupName"]
            (metric,) = properties["MetricTransformations"]
            field = properties["FilterPattern"].removeprefix("{ ").removesuffix(" = * }")
            # Without a default value: lines that lack the field are no data.
            assert metric == {
                "MetricNamespace": "Forum",
                "MetricName": metric["MetricName"],
                "MetricValue": field,
            }
            found.add((log.removeprefix("/forum/"), field, metric["MetricName"]))
    return found


def test_metrics_are_made_from_two_fields_of_the_logs() -> None:
    assert log_metrics(LAB) == {
        *(
            (f"{name}-worker", "$.outbox_age_seconds", f"{name}-OutboxSeconds")
            for name in stages.COMPONENTS
        ),
        *((name, "$.clock_skew_seconds", f"{name}-ClockSkewSeconds") for name in CALLERS),
    }
    assert log_metrics(templates(extracted="")) == set()


@pytest.mark.parametrize("made", [LAB, PRODUCTION], ids=["lab", "production"])
def test_one_line_about_clocks_raises_an_alarm_and_silence_none(made: Templates) -> None:
    found = {
        each["AlarmName"]: each
        for each in made.all("AWS::CloudWatch::Alarm")
        if each["AlarmName"].endswith("-clockskew")
    }
    assert set(found) == {f"forum-{name}-clockskew" for name in CALLERS}
    for name in CALLERS:
        alarm = found[f"forum-{name}-clockskew"]
        other = {"Tags", "AlarmActions", "OKActions"}
        assert {key: value for key, value in alarm.items() if key not in other} == {
            "AlarmName": f"forum-{name}-clockskew",
            "AlarmDescription": f"{name} calls a component whose clock differs by more than 2 s",
            "Namespace": "Forum",
            "MetricName": f"{name}-ClockSkewSeconds",
            "Statistic": "Maximum",
            "Period": 60,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 2,
            "DatapointsToAlarm": 1,
            "EvaluationPeriods": 5,
            "TreatMissingData": "notBreaching",
        }


def test_sleeping_lab_runs_nothing() -> None:
    idle = templates(idle="on")
    assert {each["DesiredCount"] for each in idle.all("AWS::ECS::Service")} == {0}
    assert not list(idle.all("AWS::ApplicationAutoScaling::ScalableTarget"))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("blue-green", {}),
        (
            "canary",
            {
                "CanaryConfiguration": {
                    "CanaryPercent": deployment_strategy.CANARY_PERCENT,
                    "CanaryBakeTimeInMinutes": deployment_strategy.CANARY_MINUTES,
                }
            },
        ),
        (
            "linear",
            {
                "LinearConfiguration": {
                    "StepPercent": deployment_strategy.LINEAR_PERCENT,
                    "StepBakeTimeInMinutes": deployment_strategy.LINEAR_MINUTES,
                }
            },
        ),
    ],
)
def test_strategy_moves_weights_by_ecs_itself(name: str, more: dict[str, Any]) -> None:
    made = templates(strategy=name)
    for component in stages.COMPONENTS:
        service = made.service(component)
        configuration = service["DeploymentConfiguration"]
        assert configuration["Strategy"] == name.upper().replace("-", "_")
        assert configuration["BakeTimeInMinutes"] == deployment_strategy.BAKE_MINUTES
        assert configuration["Alarms"]["Rollback"] is True
        assert more.items() <= configuration.items()
        (balanced,) = service["LoadBalancers"]
        advanced = balanced["AdvancedConfiguration"]
        resources = made.stack(component)["Resources"]
        green = resources[advanced["AlternateTargetGroupArn"]["Ref"]]["Properties"]
        assert green["Name"] == f"forum-{component}-green"
        logical_id = texts(advanced["ProductionListenerRule"])
        assert "/" in texts(resources[logical_id]["Properties"]["Conditions"])
        (service_id,) = (
            each
            for each, resource in resources.items()
            if resource.get("Properties", {}).get("ServiceName") == component
        )
        assert logical_id in resources[service_id]["DependsOn"]
        assert ("TestListenerRule" in advanced) == (name == "blue-green")
        assert ("LifecycleHooks" in configuration) == (name == "blue-green")
    assert not list(made.all("AWS::CodeDeploy::DeploymentGroup"))


@pytest.mark.parametrize("component", stages.COMPONENTS)
def test_blue_green_waits_for_the_validation_of_its_test_traffic(component: str) -> None:
    made = templates(strategy="blue-green")
    service, resources = made.service(component), made.stack(component)["Resources"]
    (hook,) = service["DeploymentConfiguration"]["LifecycleHooks"]
    assert hook["TargetType"] == "PAUSE"
    assert hook["LifecycleStages"] == ["POST_TEST_TRAFFIC_SHIFT"]
    assert hook["TimeoutConfiguration"] == {
        "TimeoutInMinutes": deployment_strategy.VALIDATION_MINUTES,
        "Action": "ROLLBACK",
    }
    (balanced,) = service["LoadBalancers"]
    advanced = balanced["AdvancedConfiguration"]
    test, production = (
        resources[texts(advanced[name])]["Properties"]
        for name in ("TestListenerRule", "ProductionListenerRule")
    )
    path, header = test["Conditions"]
    assert [path] == production["Conditions"]
    assert header["HttpHeaderConfig"] == {
        "HttpHeaderName": listener_rules.TEST_HEADER,
        "Values": [listener_rules.TEST_VALUE],
    }
    assert test["Priority"] == production["Priority"] - 1
    assert test["Actions"] == production["Actions"]


STRATEGIES = ("blue-green", "canary", "linear")


def test_services_wait_for_the_permissions_of_their_tasks() -> None:
    """CloudFormation creates resources that do not depend on each other in any order."""
    for component in stages.COMPONENTS:
        resources = LAB.stack(component)["Resources"]
        policies = {key for key, each in resources.items() if each["Type"] == "AWS::IAM::Policy"}
        waited_for = {
            each["Properties"]["ServiceName"]: policies.intersection(each["DependsOn"])
            for each in resources.values()
            if each["Type"] == "AWS::ECS::Service"
        }
        own = [policies_of(resources, name) for name in ("Role", "WebDefinitionExecutionRole")]
        workers = policies_of(resources, "WorkerTaskDefinitionExecutionRole")
        assert waited_for[component] >= set().union(*own)
        assert waited_for[f"{component}-worker"] >= own[0] | workers
        assert all(own)
        assert workers


def policies_of(resources: dict[str, Any], role: str) -> set[str]:
    """Return the logical ids of the policies of a role, by the beginning of its own."""
    return {
        key
        for key, each in resources.items()
        if each["Type"] == "AWS::IAM::Policy"
        if any(
            re.fullmatch(f"{role}[0-9A-F]{{8}}", one["Ref"]) for one in each["Properties"]["Roles"]
        )
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_change_of_strategy_changes_services_alone(strategy: str) -> None:
    """Target groups, rules and names stay, and rules keep the weights that ECS has shifted."""
    other = templates(strategy=strategy)
    for stack, template in LAB.stacks.items():
        before, after = template["Resources"], other.stacks[stack]["Resources"]
        added = {after[each]["Type"] for each in after.keys() - before.keys()}
        # The role by which ECS shifts weights, and the rule of the test traffic.
        tested = (
            {"AWS::ElasticLoadBalancingV2::ListenerRule"} if strategy == "blue-green" else set()
        )
        assert added <= {"AWS::IAM::Role"} | tested
        assert before.keys() <= after.keys()
        changed = {
            before[each]["Type"]
            for each in before
            if before[each].get("Properties") != after[each].get("Properties")
        }
        # The new metrics of alarms and scaling do not depend on the strategy either.
        assert changed <= {"AWS::ECS::Service"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_names_are_found_at_every_strategy(program: str) -> None:
    for strategy in ("rolling", *STRATEGIES):
        connect = templates(strategy=strategy).service(program)["ServiceConnectConfiguration"]
        assert connect["Enabled"] is True
        names = [each["ClientAliases"] for each in connect.get("Services", ())]
        alias = {"DnsName": f"{program}.forum.local", "Port": components.PORT}
        assert names == ([] if program.endswith("-worker") else [[alias]])


@pytest.mark.parametrize("extracted", ["", "users", "users,threads"])
def test_caller_is_deployed_again_when_a_name_appears(extracted: str) -> None:
    """A task knows the names that existed at its service's deployment, and no younger ones."""
    more = {"": "users", "users": "users,threads", "users,threads": "users,threads,posts"}
    before, after = templates(extracted=extracted), templates(extracted=more[extracted])
    (new,) = after.options.extracted - before.options.extracted
    for program in {each["ServiceName"] for each in before.all("AWS::ECS::Service")}:
        calls = components.address(new) in settings(after.container(program)).values()
        changed = before.task(program) != after.task(program)
        assert changed or not calls, program


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ({"extracted": "user"}, "EXTRACTED contains 'user'"),
        ({"environment": "prod"}, "environment must be one of lab, production, not 'prod'"),
        ({"environment": "production"}, "set certificate"),
        ({"environment": "production", "exec": "on"}, "exec=on is for labs only"),
        ({"strategy": "big-bang"}, "strategy must be one of rolling"),
        ({"colour": "blue"}, "colour is not a known option"),
        ({"email": "ops"}, "email must be an e-mail address, not 'ops'"),
        ({"email": "ops@example.com "}, "email must be an e-mail address"),
        ({"allow": "192.0.2.1/24"}, "allow must list IPv4 networks .* has host bits set"),
        ({"allow": "192.0.2.0/24,all"}, "allow must list IPv4 networks"),
        ({"role": "path/LabRole"}, "role must be the name of a role with the path /"),
        ({"role": "LabRole", "environment": "production"}, "role is for labs only"),
        ({"role": "LabRole", "strategy": "canary"}, "set strategy=rolling for role"),
        ({"base_digest": "3.13"}, "base_digest must be sha256: and 64 hexadecimal digits"),
        ({"asleep": "on"}, "asleep was renamed to idle"),
        ({"name": "A Forum"}, "name must be at most 12"),
    ],
)
def test_invalid_context_is_refused_with_a_reason(context: dict[str, str], told: str) -> None:
    with pytest.raises(OptionsError, match=told):
        read_options(context)


def test_only_allowed_networks_reach_the_balancer() -> None:
    made = templates(allow="192.0.2.0/24, 198.51.100.7", certificate=CERTIFICATE)
    [rules] = [
        group["SecurityGroupIngress"]
        for group in made.all("AWS::EC2::SecurityGroup", "network")
        if group["GroupDescription"] == "The load balancer"
    ]
    assert {(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in rules} == {
        (network, port, port)
        for network in ("192.0.2.0/24", "198.51.100.7/32")
        for port in (80, 443)
    }


@pytest.mark.parametrize(
    ("arguments", "warned"),
    [
        ([], True),
        (["allow=192.0.2.0/24"], False),
        ([f"certificate={CERTIFICATE}"], False),
    ],
)
def test_an_open_lab_without_tls_is_warned_of(
    arguments: list[str],
    warned: bool,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    assert synth.main(["extracted=", *arguments]) == 0
    assert ("passwords travel without encryption" in capsys.readouterr().err) == warned
