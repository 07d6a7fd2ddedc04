"""Each component is replaced under load, as a deployment does it, and no request fails."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from infra import stages
from infra.domains import package
from infra.runner import process_specs
from infra.runner.config import GATEWAY, HOST
from infra.runner.free_port import free_port
from tests.faults.conftest import GENEROUS, RUNS
from tests.faults.mesh import Mesh
from tests.faults.run import Run
from tests.support.harness import Stack

COMPONENTS = (stages.MONOLITH, *stages.DOMAINS)
DRAIN_SECONDS = 2.5
SEEN_SECONDS = 1.0
"""The gateway checks for a new instance four times a second, so it has noticed it by this time."""
READY_SECONDS = 30


@pytest.fixture(scope="module")
def rolling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run the full split; calls between components use the gateway and its two instances."""
    spares = {component: free_port() for component in COMPONENTS}
    environment = {**GENEROUS, "DRAIN_SECONDS": str(DRAIN_SECONDS)}
    everything = frozenset(stages.DOMAINS)
    stack = Stack(everything, tmp_path_factory.mktemp("rolling"), environment, restart=True)
    gateway = stack.config.ports[GATEWAY]
    stack.environment["PROXY_PORTS"] = ",".join(f"{domain}={gateway}" for domain in stages.DOMAINS)
    stack.environment["EXTRA_INSTANCES"] = ",".join(
        f"{part}={port}" for part, port in spares.items()
    )
    with stack:
        made = Run(stack, Mesh({}), 1)
        RUNS.append(made)
        made.load.prepare()
        yield made


@pytest.mark.parametrize("component", COMPONENTS)
def test_component_is_replaced_twice_without_a_failed_request(rolling: Run, component: str) -> None:
    began, writes = time.monotonic(), rolling.ledger.writes
    with rolling.load.running():
        with _spare(rolling.stack, component):
            _settle_in()
            old = rolling.stack.pid(component)
            rolling.stack.kill(component, signal.SIGTERM)
            _until_replaced(rolling.stack, component, old)
            _settle_in()
        time.sleep(0.5)
    report = rolling.check(f"replace {component} twice", began, writes, 0.0)
    assert report.writes > 20
    assert report.failures == []


def test_worker_is_replaced_without_a_failed_request(rolling: Run) -> None:
    began, writes = time.monotonic(), rolling.ledger.writes
    with rolling.load.running():
        for worker in rolling.stack.config.workers:
            rolling.stack.kill(worker, signal.SIGTERM)
            time.sleep(0.5)
    report = rolling.check("replace each worker", began, writes, 0.0)
    assert report.failures == []


@contextmanager
def _spare(stack: Stack, component: str) -> Iterator[None]:
    """Run a second instance; at the end it is stopped, and drains like the first."""
    config = stack.config
    url = f"http://{HOST}:{_port(stack, component)}"
    command = (
        str(Path(sys.executable).with_name("gunicorn")),
        *("-c", "python:chassis.http.gunicorn_conf", "--bind", url.removeprefix("http://")),
        f"{package(component)}.wsgi:app",
    )
    variables = {**os.environ, **process_specs.component_environment(config, component)}
    variables["DRAIN_SECONDS"] = str(DRAIN_SECONDS)
    with (config.log_folder / f"{component}-spare.log").open("wb") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
        try:
            _until_ready(url)
            yield
        finally:
            process.terminate()
            process.wait(20)


def _port(stack: Stack, component: str) -> int:
    spares = dict(entry.split("=") for entry in stack.environment["EXTRA_INSTANCES"].split(","))
    return int(spares[component])


def _until_ready(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            if requests.get(f"{url}/readyz", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < deadline, f"{url} is not ready"
        time.sleep(0.1)


def _until_replaced(stack: Stack, component: str, old: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while Path(f"/proc/{old}").exists():
        assert time.monotonic() < deadline, f"{component} did not stop"
        time.sleep(0.1)
    stack.wait_for(component)
    _until_ready(stack.config.url(component))


def _settle_in() -> None:
    time.sleep(SEEN_SECONDS)
