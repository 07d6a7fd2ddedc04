"""A gateway with a workspace's routes, and small servers in place of the components."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from infra.runner.free_port import free_port
from infra.stages import MONOLITH
from labs.outcome import CheckInconclusive, CheckNotRun
from labs.workspace import Workspace

HOST = "127.0.0.1"
_READY_SECONDS, _STOP_SECONDS = 15.0, 5.0


class GatewayProbe:
    """A running gateway."""

    def __init__(self, port: int) -> None:
        self._port = port

    def find_component(self, path: str) -> str:
        """Return the component that gets a request for a path; raise CheckInconclusive."""
        connection = HTTPConnection(HOST, self._port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                return f"nobody ({response.status})"
            return str(json.loads(body)["component"])
        except (OSError, HTTPException) as error:
            msg = f"the gateway did not respond to {path}: {error}"
            raise CheckInconclusive(msg) from error
        finally:
            connection.close()


@contextmanager
def run_gateway(workspace: Workspace, component: str) -> Iterator[GatewayProbe]:
    """Run the gateway of a stage with one extracted component, during the block.

    Raises:
        CheckNotRun: the gateway does not start; the message is its own.
        CheckInconclusive: it did not get ready in time.
    """
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        _serve(MONOLITH) as monolith,
        _serve(component) as service,
    ):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "infra.gateway.process", "--extracted", component),
                *("--address", f"{MONOLITH}={HOST}:{monolith}"),
                *("--address", f"{component}={HOST}:{service}"),
                *("--port", str(port), "--output", str(Path(folder) / "envoy.json"), "--run"),
            ],
            cwd=workspace.folder,
            env=workspace.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _wait(process, port)
            yield GatewayProbe(port)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()


def _wait(process: "subprocess.Popen[str]", port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CheckNotRun(process.stderr.read() if process.stderr else "")
        connection = HTTPConnection(HOST, port, timeout=1)
        try:
            connection.request("GET", "/")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    msg = f"the gateway was not ready within {_READY_SECONDS:g} s"
    raise CheckInconclusive(msg)


@contextmanager
def _serve(component: str) -> Iterator[int]:
    """Respond to every request with the component's name; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = json.dumps({"component": component, "path": self.path}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
