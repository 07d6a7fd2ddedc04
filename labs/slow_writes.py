"""DynamoDB behind a proxy that delays or refuses writes, so that races really take place."""

import http.client
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra import dynoxide
from infra.runner.free_port import free_port
from labs.program import run_program
from labs.server import HOST, Request, serve

_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")
_THROTTLED = json.dumps(
    {
        "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "message": "Throttled by the check",
    }
).encode()
_PASSED_ON = {
    *("content-type", "x-amz-target", "x-amz-date", "authorization"),
    *("x-amzn-requestid", "x-amz-crc32"),
}


@dataclass
class SlowWrites:
    """A running proxy; `delay` is in seconds, for each write."""

    port: int
    target: int
    """The port of DynamoDB itself, where nothing is delayed."""

    delay: float = 0.0
    most_at_once: int = 0
    """The largest number of writes that were waiting at the same time."""

    throttle: int = 0
    """If not 0, each write whose number it divides is refused, as by a busy DynamoDB."""

    _writes: int = 0
    _waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Delay writes within the block, and count anew how many wait at once."""
        self.most_at_once, self.delay = 0, seconds
        try:
            yield
        finally:
            self.delay = 0.0

    @contextmanager
    def throttled(self, every: int) -> Iterator[None]:
        """Refuse some writes within the block; clients of AWS repeat them by default."""
        self.throttle = every
        try:
            yield
        finally:
            self.throttle = 0

    def refuses(self) -> bool:
        """Count a write, and return whether it is refused."""
        with self._lock:
            self._writes += 1
            return bool(self.throttle) and self._writes % self.throttle == 0

    def wait(self) -> None:
        """Wait as long as a write has to."""
        if not self.delay:
            return
        with self._lock:
            self._waiting += 1
            self.most_at_once = max(self.most_at_once, self._waiting)
        time.sleep(self.delay)
        with self._lock:
            self._waiting -= 1


@contextmanager
def run_datastore() -> Iterator[SlowWrites]:
    """Run an empty DynamoDB during the block; yield the proxy in front of it."""
    port = free_port()
    command = [str(dynoxide.ensure_installed()), "serve", "--host", HOST, "--port", str(port)]
    with (
        tempfile.TemporaryDirectory() as name,
        run_program(command, Path(name, "log"), Path(name), os.environ),
        _run_proxy(port) as proxy,
    ):
        yield proxy


@contextmanager
def _run_proxy(target: int) -> Iterator[SlowWrites]:
    """Run a proxy to the DynamoDB at the port `target`, during the block."""

    def forward(request: Request) -> None:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if operation in _WRITES:
            if proxy.refuses():
                request.respond(400, _THROTTLED, [("Content-Type", "application/x-amz-json-1.0")])
                return
            proxy.wait()
        connection = http.client.HTTPConnection(HOST, target, timeout=10)
        try:
            sent = dict(_passed_on(request.headers.items()))
            connection.request("POST", request.path, request.body, sent)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        request.respond(response.status, content, _passed_on(response.getheaders()))

    with serve(forward) as port:
        proxy = SlowWrites(port, target)
        yield proxy


def _passed_on(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() in _PASSED_ON]
