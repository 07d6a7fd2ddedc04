"""A gateway with a workspace's routes, and small servers in place of the components."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from infra.runner.free_port import free_port
from infra.stages import MONOLITH
from labs.outcome import CheckInconclusive
from labs.program import run_program
from labs.server import HOST, serve
from labs.workspace import Workspace


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
        tempfile.TemporaryDirectory() as name,
        _serve_name(MONOLITH) as monolith,
        _serve_name(component) as service,
    ):
        folder = Path(name)
        command = [
            *(sys.executable, "-m", "infra.gateway.process", "--extracted", component),
            *("--address", f"{MONOLITH}={HOST}:{monolith}"),
            *("--address", f"{component}={HOST}:{service}"),
            *("--port", str(port), "--output", str(folder / "envoy.json"), "--run"),
        ]
        environment = workspace.environment()
        with run_program(command, folder / "log", workspace.folder, environment) as gateway:
            gateway.wait_until_ready(f"http://{HOST}:{port}/")
            yield GatewayProbe(port)


def _serve_name(component: str) -> AbstractContextManager[int]:
    """Respond to every request with the component's name."""
    content = json.dumps({"component": component}).encode()
    return serve(lambda request: request.respond(200, content))
