"""The keys of a deployment, for suites that sign and verify themselves."""

import json
from typing import Any

from infra import session_keys
from infra.cdk import names
from infra.cdk.options import DeploymentOptions
from infra.runner.config import RunConfig


def copy_keys(client: Any, options: DeploymentOptions, config: RunConfig) -> None:
    """Copy the keys from Secrets Manager to the folder where `make run` has them."""
    config.secrets_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    signer = options.owner("users")
    shared, signing = names.shared_secret(options), names.signing_secret(options)
    for key, name, field in (
        (session_keys.PRIVATE, signing, names.private_key(signer)),
        (session_keys.PUBLIC, shared, names.public_keys(signer)),
        (session_keys.SECRET, shared, "secret_key"),
    ):
        found = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
        (config.secrets_folder / key).write_text(found[field], encoding="utf-8")
