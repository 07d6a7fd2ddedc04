"""Requests to the emulator as IAM names them: actions, resources, sessions of roles, secrets."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.core import responses
from ministack.core.iam_evaluator import EvalContext
from ministack.services import ecs, iam, secretsmanager, sts

from infra.local_cloud import permissions
from infra.ministack import ACCOUNT, REGION

ROLE = f"arn:aws:iam::{ACCOUNT}:role/forum-users"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/forum-users/task"
RULE = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener-rule/app/forum/1/2/3"
SHARED = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:forum/shared"


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use the deployment's account and region, and leave nothing behind."""
    monkeypatch.setenv("MINISTACK_ACCOUNT_ID", ACCOUNT)
    responses.set_request_account_id(ACCOUNT)
    responses.set_request_region(REGION)
    yield
    sts._sessions.clear()
    iam._roles.clear()
    secretsmanager._secrets.clear()


def arn(service: str, target: str, body: dict[str, Any], query: dict[str, Any]) -> str:
    headers = {"x-amz-target": target}
    return permissions.resource(
        service, "POST", "/", headers, json.dumps(body).encode(), query, REGION, ACCOUNT
    )


@pytest.mark.parametrize(
    ("target", "action"),
    [
        ("AmazonSQS.DeleteMessageBatch", "sqs:DeleteMessage"),
        ("AmazonSQS.SendMessage", "sqs:SendMessage"),
        ("DynamoDB_20120810.BatchGetItem", "dynamodb:BatchGetItem"),
    ],
)
def test_action_of_a_batch_is_that_of_its_entries(target: str, action: str) -> None:
    service = action.partition(":")[0]
    found = permissions.action(service, "POST", "/", {"x-amz-target": target}, b"{}", {})
    assert found == action


def test_publishing_a_batch_takes_the_permission_to_publish() -> None:
    query = {"Action": ["PublishBatch"]}
    assert permissions.action("sns", "POST", "/", {}, b"", query) == "sns:Publish"


@pytest.mark.parametrize("cluster", ["forum", f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/forum"])
def test_change_of_a_service_names_the_service(cluster: str) -> None:
    target = "AmazonEC2ContainerServiceV20141113.UpdateService"
    body = {"cluster": cluster, "service": "users-worker"}
    expected = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/forum/users-worker"
    assert arn("ecs", target, body, {}) == expected


def test_change_of_a_listener_rule_names_the_rule() -> None:
    assert arn("elasticloadbalancing", "", {}, {"RuleArn": [RULE]}) == RULE


@pytest.mark.parametrize(
    ("key", "principal", "value"),
    [
        ("aws:PrincipalArn", SESSION, ROLE),
        ("aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:root"),
        ("aws:SecureTransport", SESSION, "true"),
        ("aws:PrincipalAccount", SESSION, ACCOUNT),
    ],
)
def test_session_stands_for_its_role(key: str, principal: str, value: str) -> None:
    context = EvalContext(principal, "AssumedRole", ACCOUNT, "sns:Publish", "*", REGION)
    assert permissions.condition_key(key, context) == value


def test_each_task_has_its_own_credentials() -> None:
    first, second = (permissions.role_credentials(ROLE, task) for task in ("one", "two"))
    assert not {*first.values()} & {*second.values()}
    assert permissions.is_caller(first["AWS_ACCESS_KEY_ID"])
    assert permissions.is_caller("local")
    # MiniStack would take these for the account's root.
    assert not any(map(permissions.is_caller, ("", "test", ACCOUNT)))


@pytest.mark.parametrize(
    ("granted", "starts"),
    [(f"{SHARED}-??????", True), ("forum/shared", True), (f"{SHARED}-2-??????", False)],
)
def test_task_starts_with_the_secrets_that_its_execution_role_may_read(
    granted: str, starts: bool
) -> None:
    secretsmanager._secrets["forum/shared"] = {"Name": "forum/shared", "ARN": f"{SHARED}-a1b2c3"}
    statement = {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"]}
    policy = {"Version": "2012-10-17", "Statement": [statement | {"Resource": granted}]}
    iam._roles["forum-users"] = {"InlinePolicies": {"secrets": json.dumps(policy)}}
    container = {"secrets": [{"name": "SECRET_KEY", "valueFrom": f"{SHARED}:secret_key::"}]}
    if starts:
        permissions.check_secrets({"executionRoleArn": ROLE}, container)
    else:
        with pytest.raises(ecs._SecretResolutionError, match="forum-users may not read"):
            permissions.check_secrets({"executionRoleArn": ROLE}, container)
