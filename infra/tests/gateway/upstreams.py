"""Small HTTP servers in place of components, with a gateway in front of them."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from infra.gateway import process as gateway
from infra.gateway import routes
from infra.gateway.configuration import READY_PATH, Address, GatewayConfig
from infra.runner.free_port import free_port
from tests.support.servers import Server, reply

Behaviour = Callable[["Upstream", int], str]
"""Return the reaction to a request, given the number so far: "answer", "drop" or "hang"."""


@dataclass
class Upstream:
    """A fake component that returns its name and the received request.

    `ready` is its response to health checks, which are not recorded as received.
    """

    name: str
    behaviour: Behaviour = lambda _upstream, _count: "answer"
    ready: bool = True
    looks: int = 0
    received: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)


def unready(upstream: Upstream) -> None:
    """Make a fake component not ready, and wait until the gateway has noticed."""
    upstream.ready = False
    # A look that was under way may still have found it ready; the one after the next comes when
    # the next is settled.
    deadline, enough = time.monotonic() + 30, upstream.looks + 3
    while upstream.looks < enough:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def serving(upstream: Upstream) -> Iterator[Upstream]:
    """Serve a fake component during the block."""

    def answer(request: BaseHTTPRequestHandler, _: bytes) -> None:
        if upstream.released.is_set():
            request.close_connection = True  # the server is gone, with its persistent connections
            return
        if request.path == READY_PATH:
            upstream.looks += 1
            degraded = () if upstream.ready else (("X-Envoy-Degraded", "true"),)
            reply(request, 200 if upstream.ready else 503, b"", degraded)
            return
        upstream.received.append((request.command, request.path))
        action = upstream.behaviour(upstream, len(upstream.received))
        if action == "drop":
            request.close_connection = True
            return
        if action == "hang":
            upstream.released.wait(60)
            request.close_connection = True
            return
        seen = {"name": upstream.name, "path": request.path, "headers": dict(request.headers)}
        reply(request, 200, json.dumps(seen).encode())

    upstream.port = upstream.port or free_port()
    upstream.released.clear()
    with Server(answer, port=upstream.port):
        try:
            yield upstream
        finally:
            upstream.released.set()


@dataclass
class Running:
    """A gateway that runs, and the file that holds its access log."""

    port: int
    log: Path

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[HTTPResponse, bytes]:
        """Send one request with exactly this path."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def logged(self, count: int) -> list[dict[str, Any]]:
        """Wait for that many lines of the access log in JSON, and parse them."""
        return [json.loads(line) for line in self.log_lines(count)]

    def log_lines(self, count: int) -> list[str]:
        """Wait for that many lines of the access log."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            lines = self.log.read_text().splitlines()
            if len(lines) >= count:
                return lines
            time.sleep(0.05)
        msg = f"fewer than {count} lines in the access log"
        raise AssertionError(msg)


@contextmanager
def running(
    extracted: frozenset[str],
    ports: Mapping[str, int | Sequence[int]],
    folder: Path,
    revision: str = "test",
    log_format: str = "json",
) -> Iterator[Running]:
    """Run the real Envoy for a stage in front of the given ports, one or several a component."""
    each = {name: [given] if isinstance(given, int) else given for name, given in ports.items()}
    port = free_port()
    file = folder / "envoy.json"
    gateway.write_configuration(
        GatewayConfig(
            routes=routes.load().at(extracted),
            addresses={
                name: [Address("127.0.0.1", number) for number in numbers]
                for name, numbers in each.items()
            },
            listen=Address("127.0.0.1", port),
            revision=revision,
            log_format=log_format,
        ),
        file,
    )
    gateway.validate(file)
    log = folder / "access.log"
    with log.open("wb") as out, (folder / "envoy.log").open("wb") as errors:
        process = subprocess.Popen(gateway.command(file), stdout=out, stderr=errors)
        try:
            wait_for(port, process)
            yield Running(port, log)
        finally:
            process.terminate()
            process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until an Envoy accepts connections."""
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.connect()
        except OSError:
            time.sleep(0.02)
        else:
            return
        finally:
            connection.close()
    msg = "the gateway does not listen"
    raise AssertionError(msg)
