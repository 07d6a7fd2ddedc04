"""Fill the secrets that AWS can't generate: `python -m infra.cdk.session_keys`.

Run it after the data stack is deployed.

A key pair signs and verifies the sessions of each component that can own users: a stage whose users
moved without their data has other accounts, and refuses the sessions of the former ones. With
`MOVING=users`, the accounts move too, and from then on both verify each other's sessions. Another
key signs cursors. Existing keys are kept, so the program can be repeated. boto3 finds the account
by its own variables; `NAME` is the deployment's name.
"""

import json
import os
import secrets
import sys
from typing import TYPE_CHECKING

import boto3

from infra import stages
from infra.cdk import names
from infra.cdk.options import DeploymentOptions
from infra.domains import SESSION_SIGNERS
from infra.keypair import generate_keypair

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def main() -> int:
    """Fill the secrets; return the exit code."""
    options = DeploymentOptions(
        name=os.environ.get("NAME") or DeploymentOptions.name,
        moving=stages.parse(os.environ.get("MOVING", "")),
    )
    made = fill_secrets(boto3.client("secretsmanager"), options)
    sys.stdout.write("Keys created.\n" if made else "Keys already exist.\n")
    return 0


def fill_secrets(client: "SecretsManagerClient", options: DeploymentOptions) -> bool:
    """Create the keys that do not exist; return whether any was created."""
    shared_name, signing_name = names.shared_secret(options), names.signing_secret(options)
    before = shared, signing = _read(client, shared_name), _read(client, signing_name)
    for owner in SESSION_SIGNERS:
        public, private = names.public_keys(owner), names.private_key(owner)
        if public not in shared or private not in signing:
            pair = generate_keypair()
            signing = signing | {private: pair[0]}
            shared = shared | {public: pair[1]}
    if "users" in options.moving:
        shared = shared | _common_key_set(shared)
    shared = {"secret_key": secrets.token_urlsafe(48)} | shared
    if (shared, signing) == before:
        return False
    # The private keys first: after an interruption in between, both are created again.
    _write(client, signing_name, signing)
    _write(client, shared_name, shared)
    return True


def _common_key_set(shared: dict[str, str]) -> dict[str, str]:
    """Return the public keys of all owners of users, for each of them."""
    fields = [names.public_keys(owner) for owner in SESSION_SIGNERS]
    keys = {key["kid"]: key for field in fields for key in json.loads(shared[field])["keys"]}
    return dict.fromkeys(fields, json.dumps({"keys": list(keys.values())}))


def _read(client: "SecretsManagerClient", name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    return found


def _write(client: "SecretsManagerClient", name: str, values: dict[str, str]) -> None:
    client.put_secret_value(SecretId=name, SecretString=json.dumps(values))


if __name__ == "__main__":
    sys.exit(main())
