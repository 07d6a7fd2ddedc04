"""The local deployment finds a forum of `make run` by what the forum says about itself."""

import os
from pathlib import Path

import pytest

from extraction.deployment.local import LocalDeployment
from infra.runner.__main__ import take_lock
from infra.runner.config import DATASTORE, HOST, PORTS, RunConfig
from infra.runner.lock import Lock


@pytest.mark.parametrize("proxied", [{}, {DATASTORE: 7001}], ids=["direct", "proxied"])
def test_mover_calls_the_datastore_as_components_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxied: dict[str, int]
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    ports = {part: 6000 + number for number, part in enumerate(PORTS)}
    lock = Lock(tmp_path)
    take_lock(lock, RunConfig(frozenset(), ports, tmp_path, proxied_ports=proxied))
    try:
        LocalDeployment({"VAR_DIR": str(tmp_path)})
    finally:
        lock.release()
    port = proxied.get(DATASTORE, ports[DATASTORE])
    assert os.environ["AWS_ENDPOINT_URL_DYNAMODB"] == f"http://{HOST}:{port}"
