"""Instances of a component under gunicorn, with the usual configuration."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from infra.runner.free_port import free_port

ROOT = Path(__file__).parents[2]


@dataclass
class Instance:
    """One gunicorn with its workers."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> int:
        """Send a request on a new connection; return the status, 0 without a response."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def wait_until(self, path: str, status: int, seconds: float = 20) -> None:
        """Wait until a path returns this status."""
        end = time.monotonic() + seconds
        while (last := self.get(path)) != status:
            if time.monotonic() > end:
                msg = f"{path} is still answered {last}"
                raise AssertionError(msg)
            time.sleep(0.02)


@contextmanager
def instance(
    app: str, environment: Mapping[str, str], *options: str, port: int = 0
) -> Iterator[Instance]:
    """Run one instance during the block, ready from its start."""
    port = port or free_port()
    gunicorn = str(Path(sys.executable).with_name("gunicorn"))
    bound = ("-c", "python:chassis.http.gunicorn_conf", "--bind", f"127.0.0.1:{port}")
    process = subprocess.Popen(
        [gunicorn, *bound, *options, app],
        cwd=ROOT,
        env={"PATH": str(Path(gunicorn).parent), "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.DEVNULL,
    )
    running = Instance(process, port)
    try:
        running.wait_until("/readyz", 200)
        yield running
    finally:
        # At once, and with its workers, which a dead master would leave behind for a second.
        process.send_signal(signal.SIGQUIT)
        process.wait(20)
