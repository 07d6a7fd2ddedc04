"""Keys of a deployment: created once, a pair for each component that can own users."""

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest

from chassis.auth.tokens import key_set
from infra.cdk import names
from infra.cdk.options import DeploymentOptions
from infra.cdk.session_keys import fill_secrets
from tests.support.bus import MiniStack

OPTIONS = DeploymentOptions()
SHARED, SIGNING = names.shared_secret(OPTIONS), names.signing_secret(OPTIONS)


@pytest.fixture
def client() -> Any:
    """A client of a Secrets Manager that has the secrets as CloudFormation creates them."""
    with MiniStack(settings={"SERVICES": "secretsmanager"}) as running:
        made = boto3.client(
            "secretsmanager",
            endpoint_url=running.url,
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        for name in (SHARED, SIGNING):
            made.create_secret(Name=name, SecretString="{}")
        yield made


def read(client: Any, name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    return found


def test_each_owner_of_users_gets_a_pair_of_its_own(client: Any) -> None:
    assert fill_secrets(client, OPTIONS)
    shared, signing = read(client, SHARED), read(client, SIGNING)
    pairs = {}
    for owner in ("monolith", "users"):
        pairs[owner] = json.loads(shared[names.public_keys(owner)])
        assert key_set(signing[names.private_key(owner)]) == pairs[owner]
    assert pairs["monolith"] != pairs["users"]
    assert set(shared) == {"secret_key", *map(names.public_keys, pairs)}


def test_repetition_changes_nothing(client: Any) -> None:
    fill_secrets(client, OPTIONS)
    before = read(client, SHARED), read(client, SIGNING)
    assert not fill_secrets(client, OPTIONS)
    assert (read(client, SHARED), read(client, SIGNING)) == before


def test_owners_verify_each_others_sessions_once_accounts_move(client: Any) -> None:
    fill_secrets(client, OPTIONS)
    before = read(client, SHARED)
    moving = replace(OPTIONS, moving=frozenset({"users"}))
    assert fill_secrets(client, moving)
    shared, signing = read(client, SHARED), read(client, SIGNING)
    keys = json.loads(shared[names.public_keys("users")])["keys"]
    assert shared[names.public_keys("monolith")] == shared[names.public_keys("users")]
    wanted = [key_set(signing[names.private_key(owner)])["keys"] for owner in ("monolith", "users")]
    assert keys == [key for (key,) in wanted]
    assert shared["secret_key"] == before["secret_key"]
    assert not fill_secrets(client, moving)
    # The keys stay after the move, with the sessions.
    assert not fill_secrets(client, OPTIONS)


def test_incomplete_pair_is_replaced_and_the_rest_kept(client: Any) -> None:
    fill_secrets(client, OPTIONS)
    shared, signing = read(client, SHARED), read(client, SIGNING)
    lost = names.public_keys("users")
    left = {name: value for name, value in shared.items() if name != lost}
    client.put_secret_value(SecretId=SHARED, SecretString=json.dumps(left))
    assert fill_secrets(client, OPTIONS)
    after = read(client, SHARED)
    assert {name: value for name, value in after.items() if name != lost} == left
    private = read(client, SIGNING)[names.private_key("users")]
    assert json.loads(after[lost]) == key_set(private)
    assert private != signing[names.private_key("users")]
