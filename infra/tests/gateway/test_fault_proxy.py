"""The faults that tests switch on: each does what it says, through the clients that meet it."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chassis import errors
from chassis.client.service_client import ServiceClient
from chassis.dynamodb.database import Database
from chassis.dynamodb.tables import Table
from infra.gateway import process as gateway
from infra.gateway.configuration import Address
from infra.gateway.fault_proxy import FaultInjector, ProxiedUpstream, render
from infra.runner.free_port import free_port
from infra.tests.gateway.upstreams import wait_for
from tests.support.servers import Server, reply

HOST = "127.0.0.1"
NAMES = ("posts", "dynamodb", "bus")


class Mesh:
    """Three upstreams behind lines that can break; what arrives is counted."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.received = dict.fromkeys(NAMES, 0)
        self.ports = {name: free_port() for name in NAMES}
        servers = {name: stack.enter_context(self._upstream(name)) for name in NAMES}
        lines = {
            name: ProxiedUpstream(Address(HOST, self.ports[name]), Address(HOST, server.port))
            for name, server in servers.items()
        }
        admin = Address(HOST, free_port())
        file = folder / "faults.json"
        file.write_text(json.dumps(render(lines, admin)))
        gateway.validate(file)
        process = subprocess.Popen(gateway.command(file), stdout=subprocess.DEVNULL)
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        for port in (*self.ports.values(), admin.port):
            wait_for(port, process)
        self.faults = FaultInjector(admin)

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    def _upstream(self, name: str) -> Server:
        def answer(request: Any, _body: bytes) -> None:
            self.received[name] += 1
            body = {"TableNames": [], "path": request.path, "headers": dict(request.headers)}
            reply(request, 200, json.dumps(body).encode())

        return Server(answer)

    def client(self, service: Any, name: str, attempts: int = 1) -> Any:
        retries: Any = {"mode": "standard", "total_max_attempts": attempts}
        return boto3.client(
            service,
            endpoint_url=self.url(name),
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(connect_timeout=1, read_timeout=1, retries=retries),
        )


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with ExitStack() as stack:
        yield Mesh(stack, tmp_path_factory.mktemp("mesh"))


def test_without_a_fault_everything_passes_as_it_is(mesh: Mesh) -> None:
    headers = {"X-Forwarded-For": "9.9.9.9", "X-Request-Id": "trace-9"}
    answer = requests.get(mesh.url("posts") + "/a//b/../%41?x=1", headers=headers, timeout=5)
    seen = {name.lower(): value for name, value in answer.json()["headers"].items()}
    assert (seen["x-forwarded-for"], seen["x-request-id"]) == ("9.9.9.9", "trace-9")
    assert not any(name.startswith("x-envoy") for name in (*seen, *answer.headers))
    assert mesh.client("dynamodb", "dynamodb").list_tables()["TableNames"] == []


@pytest.mark.parametrize("status", [500, 503])
def test_abort_returns_an_error_without_reaching_the_target(mesh: Mesh, status: int) -> None:
    before = dict(mesh.received)
    with mesh.faults.abort("posts", status), mesh.faults.abort("dynamodb", status):
        answer = requests.get(mesh.url("posts"), timeout=5)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["Content-Type"] == "application/problem+json"
        with pytest.raises(ClientError) as refused:
            mesh.client("dynamodb", "dynamodb").list_tables()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert mesh.received == before
    assert requests.get(mesh.url("posts"), timeout=5).status_code == 200
    assert mesh.client("dynamodb", "dynamodb").list_tables()["TableNames"] == []


@pytest.mark.parametrize(("service", "call"), [("sns", "list_topics"), ("sqs", "list_queues")])
def test_abort_of_the_bus_is_an_error_that_boto3_understands(
    mesh: Mesh, service: str, call: str
) -> None:
    ask = getattr(mesh.client(service, "bus"), call)
    with mesh.faults.abort("bus"), pytest.raises(ClientError) as refused:
        ask()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_fault_hits_the_given_share_of_requests(mesh: Mesh) -> None:
    with mesh.faults.abort("posts", percent=50):
        seen = [requests.get(mesh.url("posts"), timeout=5).status_code for _ in range(60)]
    assert 10 < seen.count(503) < 50
    assert seen.count(200) + seen.count(503) == 60


def test_delay_is_waited_for_or_times_out(mesh: Mesh) -> None:
    with mesh.faults.delay("posts", 1), mesh.faults.delay("dynamodb", 3):
        started = time.monotonic()
        assert requests.get(mesh.url("posts"), timeout=5).status_code == 200
        assert 0.99 < time.monotonic() - started < 2
        with pytest.raises(BotoCoreError):
            mesh.client("dynamodb", "dynamodb").list_tables()
        assert time.monotonic() - started > 1.8
    started = time.monotonic()
    assert requests.get(mesh.url("posts"), timeout=5).status_code == 200
    assert time.monotonic() - started < 0.9


def test_drop_closes_kept_connections_too(mesh: Mesh) -> None:
    client, before = mesh.client("dynamodb", "dynamodb"), dict(mesh.received)
    with requests.Session() as session:
        for _ in range(2):
            session.get(mesh.url("posts"), timeout=5)
            client.list_tables()
            with mesh.faults.drop("posts"), mesh.faults.drop("dynamodb"):
                for _ in range(5):
                    with pytest.raises(requests.ConnectionError):
                        session.get(mesh.url("posts"), timeout=5)
                    with pytest.raises(BotoCoreError):
                        client.list_tables()
            session.get(mesh.url("posts"), timeout=5)
            client.list_tables()
    assert {name: mesh.received[name] - before[name] for name in NAMES} == {
        "posts": 4,
        "dynamodb": 4,
        "bus": 0,
    }


def test_throttling_is_the_error_that_boto3_knows(mesh: Mesh) -> None:
    client = mesh.client("dynamodb", "dynamodb")
    with mesh.faults.throttle():
        with pytest.raises(client.exceptions.ProvisionedThroughputExceededException) as refused:
            client.list_tables()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        with pytest.raises(errors.Unavailable):
            Database(client, "t-").check_table(Table("posts", "id"))


def test_boto3_survives_a_little_throttling(mesh: Mesh) -> None:
    client = mesh.client("dynamodb", "dynamodb", attempts=8)
    with mesh.faults.throttle(20):
        for _ in range(10):
            client.list_tables()


def test_call_between_components_survives_a_few_faults(mesh: Mesh) -> None:
    with mesh.faults.abort("posts", percent=20):
        failed = {method: _failed(mesh, method) for method in ("GET", "POST")}
    # A POST without a key is made once, and twelve of sixty fail. All three tries of a GET fail in
    # 0.8 percent, so six GETs do in one run of seventy thousand.
    assert failed["GET"] < 6
    assert failed["GET"] < failed["POST"]
    peer = ServiceClient("posts", mesh.url("posts"))
    with mesh.faults.drop("posts"), pytest.raises(errors.Unavailable):
        peer.request("GET", "/")
    with mesh.faults.delay("posts", 0.2):
        peer.request("GET", "/")


def _failed(mesh: Mesh, method: str) -> int:
    """Count the failures of sixty calls.

    Each call has its own client: five faults in a row, which occur in one run of fifty, would open
    the circuit breaker of a shared one, which would then refuse all other calls.
    """
    failed = 0
    for _ in range(60):
        try:
            ServiceClient("posts", mesh.url("posts")).request(method, "/")
        except errors.Unavailable:
            failed += 1
    return failed
