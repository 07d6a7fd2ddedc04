"""Fill the secrets that AWS can't generate: `python -m infra.cdk.session_keys`.

Run it after the data stack is deployed.

A key pair signs and verifies sessions, another key signs cursors. Existing keys are kept, so the
program can be repeated. boto3 finds the account by its own variables; `NAME` is the deployment's
name.
"""

import json
import os
import secrets
import sys
from typing import TYPE_CHECKING

import boto3

from infra.cdk import names
from infra.cdk.options import DeploymentOptions
from infra.keypair import generate_keypair

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def main() -> int:
    """Fill the secrets; return the exit code."""
    options = DeploymentOptions(name=os.environ.get("NAME") or DeploymentOptions.name)
    made = fill_secrets(boto3.client("secretsmanager"), options)
    sys.stdout.write("Keys created.\n" if made else "Keys already exist.\n")
    return 0


def fill_secrets(client: "SecretsManagerClient", options: DeploymentOptions) -> bool:
    """Create the keys unless they exist; return whether they were created."""
    shared, signing = names.shared_secret(options), names.signing_secret(options)
    if _read(client, shared) and _read(client, signing):
        return False
    private, public = generate_keypair()
    # The private key first: after an interruption in between, both are created again.
    _write(client, signing, session_private_key=private)
    _write(client, shared, secret_key=secrets.token_urlsafe(48), session_public_keys=public)
    return True


def _read(client: "SecretsManagerClient", name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    return found


def _write(client: "SecretsManagerClient", name: str, **values: str) -> None:
    client.put_secret_value(SecretId=name, SecretString=json.dumps(values))


if __name__ == "__main__":
    sys.exit(main())
