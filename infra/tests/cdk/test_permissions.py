"""Everything that a role may do and that a security group lets in: complete sets, not samples."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from chassis.dynamodb import database
from infra import domains, stages
from infra.cdk.components import PORT
from infra.tests.cdk.templates import Templates, settings, templates, texts

LAB = templates()
IMAGE = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
SECRETS = {"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"}
TRANSACTION = ("ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem")
MOVES_ONLY = {"scan", "batch_write_item"}
"""Calls of an extraction, which is not run with the role of a component."""


def granted(made: Templates, stack: str, role: str) -> list[tuple[str, set[str], list[str]]]:
    """Return the statements of the roles with this name: effect, actions and resources."""
    return [
        (
            statement["Effect"],
            set(_listed(statement["Action"])),
            [texts(resource) for resource in _listed(statement["Resource"])],
        )
        for policy in made.all("AWS::IAM::Policy", stack)
        if re.fullmatch(role, texts(policy["Roles"]))
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def called() -> set[str]:
    """Return the calls of DynamoDB's API in the module that makes all of them."""
    return set(re.findall(r'_call\(\s*"(\w+)"', Path(database.__file__).read_text()))


def table_actions() -> set[str]:
    """Return the actions that those calls need; a transaction needs those of its parts."""
    names = {"".join(map(str.capitalize, one.split("_"))) for one in called() - MOVES_ONLY}
    return {
        f"dynamodb:{action}"
        for name in names
        for action in (TRANSACTION if name == "TransactWriteItems" else (name,))
    }


def test_calls_of_a_move_are_made_by_no_component() -> None:
    assert called() > MOVES_ONLY
    root = Path(database.__file__).parents[3]
    callers = {
        (path.name, function.name)
        for part in ("services", "monolith/forum", "chassis/chassis")
        for path in (root / part).rglob("*.py")
        if "tests" not in path.parts
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if call.func.attr in {"scan", "delete_items", "read_page"}
    }
    # Records are for moves; the pages of replicas and of derived entries are for comparisons.
    others = {(file, name) for file, name in callers if file != "records.py"}
    assert {name for _, name in others} == {"read_page", "check_entries"}, others


@pytest.mark.parametrize("component", stages.COMPONENTS)
def test_tasks_may_do_what_their_program_calls_and_no_more(component: str) -> None:
    arn = r"arn:AWS::Partition:{}:AWS::Region:AWS::AccountId:{}"
    wanted = []
    if component != stages.MONOLITH:
        tables = [
            path
            for table in domains.SERVICES[component].tables
            for path in (
                f"table/forum-{table.name}",
                *(f"table/forum-{table.name}/index/{index.name}" for index in table.indexes),
            )
        ]
        wanted.append(
            ("Allow", table_actions(), sorted(arn.format("dynamodb", one) for one in tables))
        )
    queue = f"forum-{component}"
    queue_actions = {
        *("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        *("sqs:ReceiveMessage", "sqs:SendMessage"),
    }
    wanted += [
        ("Allow", queue_actions, [arn.format("sqs", q) for q in (queue, f"{queue}-dead-letters")]),
        ("Allow", {"sns:Publish"}, [arn.format("sns", "forum-events")]),
    ]
    found = granted(LAB, component, "Role[0-9A-F]{8}")
    assert [(effect, actions, sorted(resources)) for effect, actions, resources in found] == wanted


@pytest.mark.parametrize("extracted", ["users", "users,threads,posts"])
def test_topic_refuses_all_but_components_at_every_stage(extracted: str) -> None:
    made = templates(extracted=extracted)
    (policy,) = made.all("AWS::SNS::TopicPolicy", "data")
    resources = made.stack("data")["Resources"]
    (reference,) = policy["Topics"]
    assert resources[reference["Ref"]]["Properties"]["TopicName"] == "forum-events"
    account = "arn:AWS::Partition:iam::AWS::AccountId:role/"
    queues = "arn:AWS::Partition:sqs:AWS::Region:AWS::AccountId:"
    names = ("monolith", "users", "threads", "posts")
    wanted = [
        ("sns:Publish", "Bool", "aws:SecureTransport", ["false"]),
        (
            *("sns:Publish", "StringNotEquals", "aws:PrincipalArn"),
            sorted(f"{account}forum-{name}-AWS::Region" for name in names),
        ),
        (
            *("sns:Subscribe", "StringNotEquals", "sns:Endpoint"),
            sorted(f"{queues}forum-{name}" for name in names),
        ),
    ]
    found = []
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Deny"
        assert statement["Principal"] in ("*", {"AWS": "*"})
        assert statement["Resource"] == reference
        ((operator, condition),) = statement["Condition"].items()
        ((key, values),) = condition.items()
        allowed = sorted(texts(value) for value in _listed(values))
        found.append((statement["Action"], operator, key, allowed))
    assert found == wanted
    # These are the names of the roles and queues.
    roles = {texts(role["RoleName"]) for role in made.all("AWS::IAM::Role") if "RoleName" in role}
    present = {"monolith", *extracted.split(",")}
    assert roles == {f"forum-{name}-AWS::Region" for name in present}
    subscribed = {
        resources[each["Endpoint"]["Fn::GetAtt"][0]]["Properties"]["QueueName"]
        for each in made.all("AWS::SNS::Subscription")
    }
    assert subscribed == {f"forum-{name}" for name in present}


def test_queues_refuse_messages_of_all_but_their_component_and_the_topic() -> None:
    resources = LAB.stack("data")["Resources"]
    found = {}
    for policy in LAB.all("AWS::SQS::QueuePolicy"):
        (queue,) = policy["Queues"]
        name = resources[queue["Ref"]]["Properties"]["QueueName"]
        found[name] = [
            (statement["Effect"], statement["Action"], statement["Condition"])
            for statement in policy["PolicyDocument"]["Statement"]
        ]
    topic = next(key for key, each in resources.items() if each["Type"] == "AWS::SNS::Topic")
    source = {"aws:SourceArn": {"Ref": topic}}
    plain = ("Deny", "sqs:*", {"Bool": {"aws:SecureTransport": "false"}})
    for component in stages.COMPONENTS:
        role = f"arn:AWS::Partition:iam::AWS::AccountId:role/forum-{component}-AWS::Region"
        for name in (f"forum-{component}", f"forum-{component}-dead-letters"):
            refused, *others = [each for each in found.pop(name) if each != plain][::-1]
            ours = {"aws:PrincipalArn": texts(refused[2]["StringNotEquals"]["aws:PrincipalArn"])}
            assert ours == {"aws:PrincipalArn": role}
            assert refused[:2] == ("Deny", "sqs:SendMessage")
            assert refused[2] == {
                "StringNotEquals": refused[2]["StringNotEquals"],
                "ArnNotEquals": source,
            }
            assert others == [("Allow", "sqs:SendMessage", {"ArnEquals": source})]
    assert not found


def test_what_the_topic_cannot_deliver_goes_to_the_dead_letters() -> None:
    resources = LAB.stack("data")["Resources"]

    def name(arn: dict[str, Any]) -> str:
        queue: str = resources[arn["Fn::GetAtt"][0]]["Properties"]["QueueName"]
        return queue

    found = {
        name(each["Endpoint"]): name(each["RedrivePolicy"]["deadLetterTargetArn"])
        for each in LAB.all("AWS::SNS::Subscription", "data")
    }
    assert found == {f"forum-{one}": f"forum-{one}-dead-letters" for one in stages.COMPONENTS}


@pytest.mark.parametrize("component", stages.COMPONENTS)
def test_tasks_are_configured_with_the_queues_and_the_topic_that_they_may_use(
    component: str,
) -> None:
    queue = f"https://sqs.AWS::Region.AWS::URLSuffix/AWS::AccountId/forum-{component}"
    for program in (component, f"{component}-worker"):
        variables = settings(LAB.container(program))
        assert {name: texts(variables[name]) for name in variables if "EVENTS" in name} == {
            "EVENTS_TOPIC_ARN": "arn:AWS::Partition:sns:AWS::Region:AWS::AccountId:forum-events",
            "EVENTS_QUEUE_URL": queue,
            "EVENTS_DEAD_LETTER_QUEUE_URL": f"{queue}-dead-letters",
        }


def test_monolith_alone_may_use_no_bus_and_knows_none() -> None:
    alone = templates(extracted="")
    assert granted(alone, stages.MONOLITH, "Role[0-9A-F]{8}") == []
    assert not [name for name in settings(alone.container(stages.MONOLITH)) if "EVENTS" in name]


@pytest.mark.parametrize("component", stages.COMPONENTS)
@pytest.mark.parametrize("task", ["Web", "WorkerTask"])
def test_a_task_starts_with_its_image_its_log_and_its_secrets_only(
    component: str, task: str
) -> None:
    image, login, log, secrets = granted(LAB, component, f"{task}DefinitionExecutionRole.*")
    assert image[:2] == ("Allow", IMAGE)
    assert login == ("Allow", {"ecr:GetAuthorizationToken"}, ["*"])
    assert log[:2] == ("Allow", LOGS)
    assert secrets[:2] == ("Allow", SECRETS)
    kinds = {"Shared", "Signing", "DatabaseInstanceSecret", "DatabaseApplication"}
    read = {kind for kind in kinds for each in secrets[2] if kind in each}
    wanted = {"Shared"}
    wanted |= {"DatabaseApplication"} if component == stages.MONOLITH else set()
    wanted |= {"Signing"} if component == "users" else set()
    assert read == wanted
    assert len(secrets[2]) == len(wanted)


def test_existing_role_is_that_of_all_tasks_and_no_other_is_created() -> None:
    made = templates(role="LabRole", moving="users", extracted="")
    assert not list(made.all("AWS::IAM::Role"))
    assert not list(made.all("AWS::IAM::Policy"))
    assert not list(made.all("AWS::EC2::FlowLog"))
    account = "arn:AWS::Partition:iam::AWS::AccountId:role/"
    for task in made.all("AWS::ECS::TaskDefinition"):
        roles = {texts(task[each]) for each in ("TaskRoleArn", "ExecutionRoleArn")}
        assert roles == {f"{account}LabRole"}, task["Family"]
    # The topic and the queues accept what tasks with this role send.
    (topic,) = made.all("AWS::SNS::TopicPolicy", "data")
    queues = made.all("AWS::SQS::QueuePolicy", "data")
    refused = {
        texts(statement["Condition"]["StringNotEquals"]["aws:PrincipalArn"])
        for policy in (topic, *queues)
        for statement in policy["PolicyDocument"]["Statement"]
        if "aws:PrincipalArn" in statement["Condition"].get("StringNotEquals", ())
    }
    assert refused == {f"{account}LabRole"}


CALLS = {
    ("monolith", "users"),
    ("monolith", "threads"),
    ("monolith", "posts"),
    ("users", "monolith"),
    *(("threads", "posts"), ("threads", "monolith")),
    *(("posts", "threads"), ("posts", "monolith")),
}
"""Which components call others, at one stage or another."""


@pytest.mark.parametrize("extracted", ["", "users", "threads", "posts", "users,threads,posts"])
def test_components_know_the_addresses_of_those_they_may_reach(extracted: str) -> None:
    made = templates(extracted=extracted)
    for component in made.options.components:
        variables = settings(made.container(component))
        known = {
            str(value).removeprefix("http://").partition(".")[0]
            for name, value in variables.items()
            if name.endswith("_URL") and ".forum.local" in str(value)
        }
        assert {(component, each) for each in known} <= CALLS


def connections(made: Templates, kind: str, peer: str) -> set[tuple[str, str, int]]:
    """Return the rules between groups: the group, its peer and the port."""
    groups = {
        key: resource["Properties"]["GroupDescription"].removeprefix("Tasks of ")
        for key, resource in made.stack("network")["Resources"].items()
        if resource["Type"] == "AWS::EC2::SecurityGroup"
    }

    def name(reference: dict[str, Any]) -> str:
        description: str = groups[reference["Fn::GetAtt"][0]]
        return description.partition(" and of its worker")[0]

    found = set()
    for rule in made.all(kind):
        assert rule["IpProtocol"] == "tcp"
        assert rule["FromPort"] == rule["ToPort"]
        found.add((name(rule["GroupId"]), name(rule[peer]), rule["FromPort"]))
    return found


@pytest.mark.parametrize("environment", ["lab", "production"])
def test_groups_allow_real_connections_at_both_ends(environment: str) -> None:
    made = templates(environment=environment)
    wanted = {("The load balancer", one, PORT) for one in stages.COMPONENTS}
    wanted |= {(caller, callee, PORT) for caller, callee in CALLS}
    wanted |= {("monolith", "PostgreSQL", 5432)}
    out = connections(made, "AWS::EC2::SecurityGroupEgress", "DestinationSecurityGroupId")
    assert out == wanted
    let_in = connections(made, "AWS::EC2::SecurityGroupIngress", "SourceSecurityGroupId")
    endpoints = {(one, "Endpoints of AWS services", 443) for one in stages.COMPONENTS}
    production = environment == "production"
    assert {(caller, callee, port) for callee, caller, port in let_in} == (
        wanted | endpoints if production else wanted
    )


@pytest.mark.parametrize("environment", ["lab", "production"])
def test_groups_are_open_to_users_and_for_apis_of_aws_only(environment: str) -> None:
    made = templates(environment=environment)
    opened = {"SecurityGroupIngress": {}, "SecurityGroupEgress": {}}  # type: ignore[var-annotated]
    for group in made.all("AWS::EC2::SecurityGroup"):
        # Without a rule of its own, a group would get one that allows all connections.
        assert group["SecurityGroupEgress"]
        for direction, found in opened.items():
            for rule in group.get(direction, ()):
                if rule["CidrIp"] not in {"127.0.0.1/32", "255.255.255.255/32"}:
                    found.setdefault(group["GroupDescription"], set()).add(
                        (rule["CidrIp"], rule["FromPort"], rule["ToPort"])
                    )
    ports = (80,) if environment == "lab" else (80, 443)
    assert opened["SecurityGroupIngress"] == {
        "The load balancer": {("0.0.0.0/0", port, port) for port in ports}
    }
    assert opened["SecurityGroupEgress"] == {
        f"Tasks of {name} and of its worker": {("0.0.0.0/0", 443, 443)}
        for name in stages.COMPONENTS
    }


@pytest.mark.parametrize("environment", ["lab", "production"])
def test_endpoints_serve_this_account_only(environment: str) -> None:
    found = {}
    for endpoint in templates(environment=environment).all("AWS::EC2::VPCEndpoint"):
        (statement,) = endpoint["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Principal"]) == ("Allow", "*")
        found[texts(endpoint["ServiceName"]).rpartition("Region.")[2]] = statement
    layers = found.pop("s3")
    assert layers["Action"] == "s3:GetObject"
    assert texts(layers["Resource"]) == (
        "arn:AWS::Partition:s3:::prod-AWS::Region-starport-layer-bucket/*"
    )
    interfaces = {"ecr.api", "ecr.dkr", "logs", "secretsmanager", "sns", "sqs"}
    production = environment == "production"
    assert found.keys() == {"dynamodb", *(interfaces if production else ())}
    account = {"Ref": "AWS::AccountId"}
    for statement in found.values():
        assert statement["Condition"] == {
            "StringEquals": {"aws:PrincipalAccount": account},
            "StringEqualsIfExists": {"aws:ResourceAccount": account},
        }


@pytest.mark.parametrize("component", stages.COMPONENTS)
def test_roles_of_tasks_trust_tasks_of_this_account_only(component: str) -> None:
    (role,) = (each for each in LAB.all("AWS::IAM::Role", component) if "RoleName" in each)
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    condition = statement["Condition"]
    assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert texts(condition["ArnLike"]["aws:SourceArn"]) == (
        "arn:AWS::Partition:ecs:AWS::Region:AWS::AccountId:*"
    )
