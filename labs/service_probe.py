"""A service that runs a workspace's code on an empty DynamoDB, and requests to it."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import urllib3

from chassis.auth.tokens import Issuer
from chassis.clock import utc_now, uuid7
from chassis.dynamodb import attribute_values
from infra import local_environment, session_keys
from infra.runner.free_port import free_port
from labs.outcome import CheckInconclusive, CheckNotRun
from labs.program import Program, run_program, server_command
from labs.server import HOST
from labs.slow_writes import SlowWrites, run_datastore
from labs.workspace import Workspace

PREFIX = "labs-"
_DATASTORE_SECONDS = 15.0
_TIMEOUT = urllib3.Timeout(connect=2, read=15)
# All requests come from one address here.
WITHOUT_LIMITS = dict.fromkeys(("SIGN_IN_LIMIT_PER_NAME", "SIGN_IN_LIMIT_PER_ADDRESS"), "100000")
_CREATE = """
import sys
from importlib import import_module
from chassis.dynamodb.database import connect
from chassis.dynamodb.tables import create_tables
tables = import_module(f"{sys.argv[1]}.dynamodb.tables")
create_tables(connect(), sys.argv[2], tables.TABLES)
"""


@dataclass(frozen=True)
class Response:
    """A response; `body` is its JSON, or empty."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


class ServiceProbe:
    """A running service, its tables, and the delay of its writes."""

    def __init__(self, program: Program, port: int, writes: SlowWrites, keys: Path) -> None:
        self.writes = writes
        self._keys = keys
        self.read_log = program.read_log
        self.url = f"http://{HOST}:{port}"
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT, maxsize=32)
        self._tables = boto3.client("dynamodb", endpoint_url=f"http://{HOST}:{writes.target}")

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request; raise CheckInconclusive if there is no response."""
        try:
            response = self._http.request(method, self.url + path, json=body, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            msg = f"{method} {path} got no response: {error}"
            raise CheckInconclusive(msg) from error
        is_json = "json" in response.headers.get("Content-Type", "")
        return Response(response.status, response.json() if is_json else {}, response.headers)

    def race(self, count: int, request: Callable[[int], Response]) -> list[Response]:
        """Send `count` requests at the same time, with delayed writes."""
        with self.writes.delayed(0.3), ThreadPoolExecutor(count) as pool:
            responses = list(pool.map(request, range(count)))
        return responses

    def open_session(self, name: str) -> dict[str, str]:
        """Return the headers of a person's requests, as the users component would issue them."""
        private = (self._keys / session_keys.PRIVATE).read_text(encoding="utf-8")
        claims = {"username": name, "name": name, "role": "member", "suspended": False, "ver": 1}
        token, _ = Issuer(private).issue(uuid7(), uuid7(), claims, utc_now())
        return {"Authorization": f"Bearer {token}"}

    def put(self, table: str, item: Mapping[str, Any]) -> None:
        """Write an item without delay, with plain values."""
        values: Any = attribute_values.serialize(item)
        self._tables.put_item(TableName=f"{PREFIX}{table}", Item=values)

    def scan(self, table: str) -> list[dict[str, Any]]:
        """Return all items of a table, with DynamoDB's types."""
        items: list[dict[str, Any]] = self._tables.scan(TableName=f"{PREFIX}{table}")["Items"]
        return items

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()
        self._tables.close()


@contextmanager
def run_service(
    workspace: Workspace, domain: str, settings: Mapping[str, str] | None = None
) -> Iterator[ServiceProbe]:
    """Run a service alone during the block, on tables of its own, with some other settings.

    Raises:
        CheckNotRun: it does not start; the message is its own.
        CheckInconclusive: it did not get ready in time.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port, datastore = free_port(), stack.enter_context(run_datastore())
        environment = workspace.environment() | local_environment.AWS
        environment |= {"AWS_ENDPOINT_URL_DYNAMODB": f"http://{HOST}:{datastore.port}"}
        create_tables(workspace, domain, environment)
        session_keys.ensure_keys(folder / "keys")
        environment |= {
            "SECRETS_DIR": str(folder / "keys"),
            "TABLE_PREFIX": PREFIX,
            "REPLICA_HOLDERS": "",
            "POSTS_URL": local_environment.NOBODY,
            "THREADS_URL": local_environment.NOBODY,
            # No load balancer has to notice the end.
            "DRAIN_SECONDS": "0",
            "LOG_FORMAT": "text",
            **WITHOUT_LIMITS,
            **(settings or {}),
        }
        command = server_command(f"{HOST}:{port}", f"{domain}.wsgi:app")
        log = folder / "service.log"
        program = stack.enter_context(run_program(command, log, workspace.folder, environment))
        program.wait_until_ready(f"http://{HOST}:{port}/readyz")
        probe = ServiceProbe(program, port, datastore, folder / "keys")
        stack.callback(probe.close)
        yield probe


def create_tables(workspace: Workspace, domain: str, environment: Mapping[str, str]) -> None:
    """Create a service's tables, as soon as DynamoDB responds; raise CheckNotRun."""
    deadline = time.monotonic() + _DATASTORE_SECONDS
    while True:
        done = subprocess.run(
            [sys.executable, "-c", _CREATE, domain, PREFIX],
            cwd=workspace.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return
        if time.monotonic() > deadline or "EndpointConnectionError" not in done.stderr:
            raise CheckNotRun(done.stderr)
