"""The pages while a component does not answer."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from infra import stages
from infra.local import programs
from infra.local.settings import HOST
from tests.harness import Stack
from tests.ports import free_port


@contextmanager
def without(stack: Stack, domain: str) -> Iterator[str]:
    """Run the pages once more, beside a running stage, where a domain's service cannot be reached.

    The launcher stops a stage as soon as one of its parts dies, so no part is killed: this
    monolith has the stage's data, keys and other services, and nobody listens where it looks for
    `domain`. Gives its address.
    """
    port = free_port()
    environment = programs.base_environment() | programs.environment(stack.local, stages.MONOLITH)
    environment[f"{domain.upper()}_URL"] = f"http://{HOST}:{free_port()}"
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    options = ["-c", "python:chassis.gunicorn_conf", "--bind", f"{HOST}:{port}"]
    log = stack.local.logs / f"without-{domain}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [gunicorn, *options, "forum.wsgi:app"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _ready(f"http://{HOST}:{port}")
        finally:
            process.terminate()
            process.wait(20)


def _ready(url: str) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/readyz", timeout=5).ok:
                return url
        except requests.ConnectionError:
            time.sleep(0.05)
    message = f"{url} did not get ready"
    raise AssertionError(message)
