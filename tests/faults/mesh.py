"""Fault injection on the network of a stage, by an Envoy in front of every upstream."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import requests

from infra.gateway import fault_proxy
from infra.gateway import process as gateway
from infra.gateway.configuration import Address
from infra.runner.config import HOST
from infra.runner.free_port import free_port

LATE_SECONDS = 1.5
READY_SECONDS = 10


class Mesh:
    """Proxy between callers and upstreams."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        """Create a proxy for upstreams with these ports."""
        self.ways = {part: free_port() for part in ports}
        self._admin = Address(HOST, free_port())
        self._lines = {
            part: fault_proxy.ProxiedUpstream(Address(HOST, self.ways[part]), Address(HOST, port))
            for part, port in ports.items()
        }
        self._faults = fault_proxy.FaultInjector(self._admin)

    @contextmanager
    def running(self, folder: Path) -> Iterator["Mesh"]:
        """Run it during the block."""
        file = folder / "mesh.json"
        file.write_text(json.dumps(fault_proxy.render(self._lines, self._admin)), encoding="utf-8")
        with (folder / "mesh.log").open("wb") as log:
            process = subprocess.Popen(gateway.command(file), stdout=log, stderr=log)
        try:
            self._wait(process)
            yield self
        finally:
            process.terminate()
            process.wait(10)

    def dropping(self, part: str) -> AbstractContextManager[None]:
        """Close every connection to an upstream."""
        return self._faults.drop(part)

    def delaying(self, part: str) -> AbstractContextManager[None]:
        """Delay every second call to an upstream."""
        return self._faults.delay(part, LATE_SECONDS, percent=50)

    def throttling(self) -> AbstractContextManager[None]:
        """Throttle every second call to the datastore."""
        return self._faults.throttle(percent=50)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                requests.get(f"http://{HOST}:{self._admin.port}/ready", timeout=1)
            except requests.ConnectionError:
                time.sleep(0.05)
            else:
                return
        msg = "the Envoy between the parts did not start"
        raise RuntimeError(msg)
