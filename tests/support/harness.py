"""Selection of the deployment that tests run on: `Stack`, by FORUM_DEPLOYMENT.

Without it, `make run`'s processes; with `compose`, containers; with `deployed`, the CDK
templates on this machine; with `account`, what is deployed in an account of AWS.
"""

import os
from typing import Any

from infra.runner.stack import CONTROL, LAUNCHER, RunnerStack, StackError, kill, listens

__all__ = ["CONTROL", "LAUNCHER", "RunnerStack", "Stack", "StackError", "kill", "listens"]


def _chosen() -> Any:
    # Imported only when chosen: those need a Docker engine.
    if os.environ.get("FORUM_DEPLOYMENT") == "compose":
        from tests.compose.stack import Composed  # noqa: PLC0415

        return Composed
    if os.environ.get("FORUM_DEPLOYMENT") == "deployed":
        from tests.deploy.deployed import Deployed  # noqa: PLC0415

        return Deployed
    if os.environ.get("FORUM_DEPLOYMENT") == "account":
        from tests.deploy.account import InAccount  # noqa: PLC0415

        return InAccount
    return RunnerStack


Stack = _chosen()
