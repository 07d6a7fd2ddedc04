"""Roles of the tasks of a deployment: what they are granted, and what they did or were denied."""

import copy
import json
import random
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import requests
from botocore.config import Config

from chassis.messaging import subscriptions
from infra import domains, stages
from infra.cdk import names
from infra.local_cloud.emulated import DENIED, PERMITTED
from infra.local_cloud.target import EMULATOR, docker
from infra.ministack import ACCOUNT, REGION
from tests.deploy.deployed import Deployed
from tests.faults.client import PASSWORD, Client, Records

Pairs = set[tuple[str, str]]
"""Programs and actions."""
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# A message is returned to its queue if it can't be moved to the dead letters.
REMOVED_TOGETHER = {"sqs:ChangeMessageVisibility": ("sqs:SendMessage",)}
MALFORMED = "not an event"
SETTLE_SECONDS = 60.0
# Their words, each two of these letters, are too many for one transaction.
LONG_TITLE, OTHER_TITLE = (
    "".join(map(chr, range(first, first + 120))) for first in (0x4E00, 0x5E00)
)


class Roles:
    """The roles of a deployment's programs, which can be changed for a while."""

    def __init__(self, deployed: Deployed) -> None:
        self._deployed = deployed
        self._iam = deployed.place.client("iam")

    def granted(self, *programs: str) -> Pairs:
        """Return what programs may do."""
        return {
            (program, action)
            for program in programs
            for policy in self._policies(program).values()
            for statement in policy["Statement"]
            for action in actions(statement)
        }

    def used(self) -> list[tuple[str, str]]:
        """Return what programs did since the start, in the order of the first time."""
        return self._reported(PERMITTED)

    def denied(self) -> list[tuple[str, str]]:
        """Return what programs tried in vain since the start, in this order."""
        return self._reported(DENIED)

    def _reported(self, word: str) -> list[tuple[str, str]]:
        prefix, suffix = f"{self._deployed.options.name}-", f"-{REGION}"
        lines = docker("logs", self._deployed.place.container(EMULATOR)).splitlines()
        reports = [line.split()[1:3] for line in lines if line.startswith(f"{word} ")]
        return [(role.removeprefix(prefix).removesuffix(suffix), one) for role, one in reports]

    @contextmanager
    def without(self, wanted: set[str], *programs: str) -> Iterator[None]:
        """Take actions away from programs until the end of the block."""
        before = {program: self._policies(program) for program in programs}
        for program, policies in before.items():
            for name, policy in policies.items():
                self._put(program, name, reduced(policy, wanted))
        try:
            yield
        finally:
            for program, policies in before.items():
                for name, policy in policies.items():
                    self._put(program, name, policy)

    def client(self, program: str, service: str, **changed: str) -> Any:
        """Return a client with the credentials of a program's task."""
        given = docker(
            *("inspect", "--format", "{{json .Config.Env}}", self._deployed.tasks(program)[0])
        )
        variables = dict(each.split("=", 1) for each in json.loads(given))
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self._deployed.place.endpoint,
            region_name=REGION,
            config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}),
            **({name.lower(): variables[name] for name in CREDENTIALS} | changed),
        )

    def _policies(self, program: str) -> dict[str, Any]:
        role = {"RoleName": self._name(program)}
        listed = self._iam.list_role_policies(**role)["PolicyNames"]
        return {
            name: self._iam.get_role_policy(**role, PolicyName=name)["PolicyDocument"]
            for name in listed
        }

    def _put(self, program: str, name: str, policy: dict[str, Any]) -> None:
        self._iam.put_role_policy(
            RoleName=self._name(program), PolicyName=name, PolicyDocument=json.dumps(policy)
        )

    def _name(self, program: str) -> str:
        return f"{self._deployed.options.name}-{program}-{REGION}"


def actions(statement: dict[str, Any]) -> set[str]:
    """Return the actions of a statement."""
    found = statement["Action"]
    return {found} if isinstance(found, str) else set(found)


def reduced(policy: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    """Return a policy without some actions."""
    made = copy.deepcopy(policy)
    for statement in made["Statement"]:
        statement["Action"] = sorted(actions(statement) - wanted)
    made["Statement"] = [each for each in made["Statement"] if each["Action"]]
    return made


def find_denied(
    deployed: Deployed, roles: Roles, action: str, programs: set[str], seconds: float
) -> tuple[set[str], bool]:
    """Take an action away from programs, and use the forum.

    Return the programs that were denied it within some seconds, and whether requests failed.
    """
    # Without a queue, all requests succeed, and the events of a new account are enough.
    visitor = None if action.startswith("sqs:") else Visitor(deployed.base_url)
    removed = {action, *REMOVED_TOGETHER.get(action, ())}
    with roles.without(removed, *programs):
        if "sqs:SendMessage" in removed:
            send_malformed_events(deployed, roles)
        statuses = visitor.act() if visitor else []
        if not visitor:
            Visitor(deployed.base_url)
        urls = deployed.urls
        for program in programs:
            requests.get(f"{urls[program]}/eventz", timeout=30)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            denied = {one for one, what in roles.denied() if what == action}
            if denied >= programs:
                break
            time.sleep(0.1)
    return denied & programs, any(status >= 500 for status in statuses)


def send_malformed_events(deployed: Deployed, roles: Roles) -> None:
    """Send each component something that it moves to its dead letters."""
    sns = deployed.place.client("sns")
    name = subscriptions.topic_name(deployed.options.prefix)
    topic = {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"}
    for each in sns.list_subscriptions_by_topic(**topic)["Subscriptions"]:
        attributes = sns.get_subscription_attributes(SubscriptionArn=each["SubscriptionArn"])
        first = json.loads(attributes["Attributes"]["FilterPolicy"])["type"][0]
        # The topic's policy denies this to the account's root.
        roles.client("users", "sns").publish(
            **topic,
            Message=MALFORMED,
            MessageAttributes={"type": {"DataType": "String", "StringValue": first}},
        )


def remove_malformed_events(deployed: Deployed, components: Iterable[str]) -> None:
    """Wait until the malformed events are dead letters, and remove these and no others."""
    sqs, urls = deployed.place.client("sqs"), deployed.urls
    for component in components:
        url = f"{urls[component]}/eventz"
        deadline = time.monotonic() + SETTLE_SECONDS
        while any(
            requests.get(url, timeout=30).json()[what] for what in ("queue_depth", "in_flight")
        ):
            assert time.monotonic() < deadline, f"{component} still has messages"
            time.sleep(0.2)
        dead_letters = sqs.get_queue_url(QueueName=f"forum-{component}-dead-letters")["QueueUrl"]
        while found := sqs.receive_message(
            QueueUrl=dead_letters, MaxNumberOfMessages=10, WaitTimeSeconds=1
        ).get("Messages"):
            for message in found:
                assert message["Body"] == MALFORMED, f"{component} gave up {message['Body']}"
                sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])


class Visitor:
    """A user who does each thing once, whatever the response is."""

    def __init__(self, url: str) -> None:
        """Open an account, and prepare what is changed and deleted later."""
        self._client = Client(url, Records(), threading.Event(), random.Random(uuid.uuid4().hex))
        self._client.register()
        kept, gone = (self._create("/api/threads", title=LONG_TITLE) for _ in range(2))
        edited, removed, _ = (
            self._create("/api/posts", thread_id=thread, body="A visit")
            for thread in (kept, kept, gone)
        )
        user = f"/api/users/{self._client.id}"
        newcomer = {"username": f"n{uuid.uuid4().hex[:12]}", "password": PASSWORD}
        self._requests: list[tuple[Any, ...]] = [
            ("GET", "/api/users/me"),
            ("GET", f"/api/users?ids={self._client.id}"),
            ("GET", "/api/threads?q=visit"),
            ("GET", f"/api/posts/in-thread/{kept}"),
            ("POST", "/api/users", newcomer),
            ("POST", "/api/threads", {"title": "Another visit"}),
            ("POST", "/api/posts", {"thread_id": kept, "body": "Another visit"}),
            ("PATCH", user, {"display_name": "A visitor"}, self._version(user)),
            *(
                ("PATCH", path, change, self._version(path))
                for path, change in (
                    (f"/api/threads/{kept}", {"title": OTHER_TITLE}),
                    (f"/api/posts/{edited}", {"body": "An edited visit"}),
                )
            ),
            ("DELETE", f"/api/posts/{removed}"),
            ("DELETE", f"/api/threads/{gone}"),
            ("DELETE", user, {"password": PASSWORD}),
        ]

    def act(self) -> list[int]:
        """Read, write, rename, delete, and erase the account; return the status of each."""
        answers = [self._client.ask(*request) for request in self._requests]
        return [0 if answer is None else answer.status_code for answer in answers]

    def _create(self, path: str, **content: str) -> str:
        return str(self._client.insist("POST", path, content).json()["id"])

    def _version(self, path: str) -> dict[str, str]:
        return {"If-Match": self._client.insist("GET", path).headers["ETag"]}


ACCESS_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


def try_own_queue(roles: Roles, component: str, **changed: str) -> None:
    """Ask for the length of a component's queue with the credentials of its task."""
    roles.client(component, "sqs", **changed).get_queue_attributes(QueueUrl=queue(component))


def queue(component: str) -> str:
    """Return the URL of a component's queue."""
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/forum-{component}"


def forbidden(deployed: Deployed, component: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield requests that a component's role must not make: service, operation and arguments."""
    options, clusters = deployed.options, {"cluster": names.cluster(deployed.options)}
    for other, service in domains.SERVICES.items():
        table = service.tables[0]
        key = {name: {"S": "any"} for name in (table.partition, table.sort) if name}
        if other != component:
            yield "dynamodb", "get_item", {"TableName": options.prefix + table.name, "Key": key}
        yield "dynamodb", "scan", {"TableName": options.prefix + table.name}
        yield "ecs", "update_service", {**clusters, "service": other, "desiredCount": 0}
    for other in {*stages.COMPONENTS} - {component}:
        yield "sqs", "receive_message", {"QueueUrl": queue(other)}
        yield "sqs", "send_message", {"QueueUrl": queue(other), "MessageBody": "any"}
    for secret in (names.shared_secret, names.signing_secret, names.database_secret):
        yield "secretsmanager", "get_secret_value", {"SecretId": secret(options)}
    yield "iam", "list_roles", {}
    yield "sns", "create_topic", {"Name": "any"}
    yield "elbv2", "describe_rules", {"RuleArns": []}
