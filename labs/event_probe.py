"""A bus for programs that use a workspace's code, and what these programs print.

Such a program lies beside the checks of its lab. Its argument is a JSON object with environment
variables, and its last line of output is a JSON object with what it has observed.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra import local_environment, ministack
from infra.runner.config import ROOT
from infra.runner.free_port import free_port
from labs.outcome import CheckInconclusive, CheckNotRun
from labs.program import run_program
from labs.server import HOST
from labs.tracebacks import fail_if_unwritten
from labs.workspace import Workspace

_SECONDS = 40.0
"""The longest time of a program."""


@contextmanager
def run_bus() -> Iterator[int]:
    """Run SNS and SQS, both empty, during the block; yield their port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        environment = os.environ | {
            "HOME": name,
            "TMPDIR": name,
            "GATEWAY_PORT": str(port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": ministack.REGION,
            "MINISTACK_ACCOUNT_ID": ministack.ACCOUNT,
            "SERVICES": "sns,sqs",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            # Never the engine of this machine.
            "DOCKER_HOST": "unix:///nonexistent",
        }
        with run_program(ministack.command(), Path(name, "log"), ROOT, environment) as program:
            program.wait_until_ready(f"http://{HOST}:{port}{ministack.READY_PATH}")
            yield port


def environment(*, datastore: int = 0, bus: int = 0) -> dict[str, str]:
    """Return the variables of AWS clients that use a datastore and a bus at these ports."""
    found = dict(local_environment.AWS)
    if datastore:
        found["AWS_ENDPOINT_URL_DYNAMODB"] = f"http://{HOST}:{datastore}"
    if bus:
        found |= dict.fromkeys(
            ("AWS_ENDPOINT_URL_SNS", "AWS_ENDPOINT_URL_SQS"), f"http://{HOST}:{bus}"
        )
    return found


def observe(
    workspace: Workspace, program: Path, variables: Mapping[str, str], page: str
) -> dict[str, Any]:
    """Run a program on a workspace's code, and return what it has observed.

    Raises:
        StepFailed: the code has a body that the lab removed; `page` is for the diagnosis.
        CheckNotRun: the program failed; the message is its output.
        CheckInconclusive: it printed something else.
    """
    done = workspace.run(str(program), json.dumps(dict(variables)), seconds=_SECONDS)
    # Also without a failure: a component logs an error, and goes on.
    fail_if_unwritten(done.stderr, workspace.folder, page)
    if done.returncode:
        raise CheckNotRun(done.stderr)
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        msg = f"the program printed {done.stdout[-200:]!r}"
        raise CheckInconclusive(msg) from error
    return found
