"""Permissions of tasks: each calls the emulated AWS with its role's credentials.

With `AUTH=true`, MiniStack checks each signed request against the policies of its caller and of the
resource. These additions bring its checks closer to AWS; each docstring has the difference.
"""

import os
import secrets
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ministack.core import iam_actions, iam_evaluator, responses
from ministack.core.iam_evaluator import EvalContext
from ministack.services import ecs, secretsmanager, sts

from infra.local_cloud.emulated import ACCESS_KEY, DENIED, PERMITTED, SETTINGS

PRINCIPAL, TLS = "aws:principalarn", "aws:securetransport"
BATCH = "Batch"
SECRET_ARN_PARTS = 7

_PERMITTED: set[tuple[str, ...]] = set()

# The original functions.
_enforce = iam_evaluator.enforce
_action = iam_actions.extract_iam_action
_resource = iam_actions.extract_resource_arn
_condition_key = iam_evaluator._resolve_condition_key
_parse = iam_evaluator.parse_policy_document


def is_caller(access_key: str) -> bool:
    """Return whether an access key is that of `make deploy-local` or of a task.

    MiniStack takes further keys for the account's root.
    """
    return access_key == ACCESS_KEY or access_key in sts._sessions


def role_credentials(role: str, task: str) -> dict[str, str]:
    """Return new credentials of a session of a role, as environment variables.

    ECS offers them at an address, and renews them; MiniStack's address is not one that botocore
    trusts, and these do not expire.
    """
    name, account = _name(role), responses.get_account_id()
    variables = {
        "AWS_ACCESS_KEY_ID": f"ASIA{secrets.token_hex(8).upper()}",
        "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
        "AWS_SESSION_TOKEN": secrets.token_urlsafe(30),
    }
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{task}",
        "UserId": f"{name}:{task}",
        "AccountId": account,
        "PrincipalType": "AssumedRole",
        "SecretAccessKey": variables["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": variables["AWS_SESSION_TOKEN"],
    }
    sts.register_session(variables["AWS_ACCESS_KEY_ID"], session)
    return variables


def check_secrets(definition: Mapping[str, Any], container: Mapping[str, Any]) -> None:
    """Check that the execution role of a task may read a container's secrets.

    ECS reads them with this role, MiniStack without any.

    Raises:
        _SecretResolutionError: it may not; the task does not start.
    """
    role = definition.get("executionRoleArn", "")
    for each in container.get("secrets", ()):
        given = ":".join(each["valueFrom"].split(":")[:SECRET_ARN_PARTS])
        _, secret = secretsmanager._resolve(given)
        # A reference to a secret is its ARN on AWS, and its name in MiniStack.
        if not secret:
            continue  # MiniStack reports it
        names = (secret["ARN"], secret["Name"])
        if not any(_may(role, "secretsmanager:GetSecretValue", name) for name in names):
            msg = f"{_name(role)} may not read {given}"
            raise ecs._SecretResolutionError(msg)


def enforce(access_key: str, wanted: str, *request: Any, **more: Any) -> Any:
    """Check a request; report each denial, and once what a role did, as CloudTrail would."""
    denied = _enforce(access_key, wanted, *request, **more)
    if session := sts._sessions.get(access_key):
        role = iam_evaluator._role_name_from_assumed_arn(session["Arn"])
        report = (role, wanted, more.get("resource_arn", "*"))
        if denied:
            print(DENIED, *report, flush=True)
        elif report not in _PERMITTED:
            _PERMITTED.add(report)
            print(PERMITTED, *report, flush=True)
    return denied


def action(*request: Any) -> str | None:
    """Return the action of a request; that of a batch is the action of its entries.

    MiniStack asks for `sns:PublishBatch` and the like, which policies do not know.
    """
    found: str | None = _action(*request)
    if found and found.startswith(("sns:", "sqs:")):
        return found.removesuffix(BATCH)
    return found


def resource(service: str, *request: Any) -> str:
    """Return the ARN of the resource that a request names.

    MiniStack takes the cluster for a service of ECS, and any resource for a listener rule.
    """
    _, _, headers, body, query, region, account = request
    if service == "ecs" and headers.get("x-amz-target", "").endswith(".UpdateService"):
        names = (iam_actions._safe_json_field(body, each) for each in ("cluster", "service"))
        return f"arn:aws:ecs:{region}:{account}:service/{'/'.join(map(_name, names))}"
    if service == "elasticloadbalancing" and (rule := iam_actions._query_param(query, "RuleArn")):
        return str(rule)
    return str(_resource(service, *request))


def condition_key(key: str, context: EvalContext) -> Any:
    """Return the value of a condition key.

    `aws:PrincipalArn` of a session is the ARN of its role, of which MiniStack has the session's.
    All requests count as encrypted: between the containers of this machine there is no TLS.
    """
    found = _condition_key(key, context)
    if key.lower() == PRINCIPAL and ":assumed-role/" in str(found):
        name = iam_evaluator._role_name_from_assumed_arn(found)
        return f"arn:aws:iam::{context.principal_account}:role/{name}"
    return "true" if key.lower() == TLS else found


@lru_cache(maxsize=100)
def _parse_text(document: str) -> Any:
    return _parse(document)


def parse(document: str | dict[str, Any]) -> Any:
    """Parse a policy, once: MiniStack parses all policies of a role at each of its requests."""
    return _parse_text(document) if isinstance(document, str) else _parse(document)


def _may(role: str, wanted: str, arn: str) -> bool:
    account = responses.get_account_id()
    policies = iam_evaluator._gather_role_policies(_name(role), account)
    context = EvalContext(role, "AssumedRole", account, wanted, arn, responses.get_region())
    return bool(iam_evaluator.evaluate(context, policies).decision == "Allow")


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


def install() -> None:
    """Install the additions; fail unless MiniStack checks permissions."""
    missing = {name for name, value in SETTINGS.items() if os.environ.get(name) != value}
    if missing:
        msg = f"the emulator needs {SETTINGS}"
        raise RuntimeError(msg)
    iam_evaluator.enforce = enforce
    iam_actions.extract_iam_action = action
    iam_actions.extract_resource_arn = resource
    iam_evaluator._resolve_condition_key = condition_key
    iam_evaluator.parse_policy_document = parse
