"""Fixtures: a real Dynoxide process, fresh tables for each test, and counts of calls to it."""

import itertools
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

from chassis.clock import uuid7
from chassis.dynamodb import database
from chassis.dynamodb.database import Database, Item, connect
from chassis.dynamodb.tables import Table, create_tables
from infra import dynoxide
from infra.runner.free_port import free_port

PATIENCE = 10
"""Seconds that the client of a test waits for a response.

The product gives up much sooner; a busy machine may not run the database for as long as that.
"""
PRODUCT_PATIENCE = database.READ_TIMEOUT
"""Seconds that the product waits, for tests of that."""

_prefixes = itertools.count(1)


class Dynamo:
    """A running DynamoDB; calls of clients created while it runs are counted."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._calls: list[str] = []
        # A client copies its session's handlers when it is created.
        boto3.DEFAULT_SESSION = boto3.Session()
        boto3.DEFAULT_SESSION.events.register("before-call.dynamodb", self._count)
        self.client = connect()

    def _count(self, model: Any, **_: Any) -> None:
        self._calls.append(model.name)

    @contextmanager
    def counted(self) -> Iterator[Counter[str]]:
        """Count the calls within the block, by the name of their operation."""
        start, counts = len(self._calls), Counter[str]()
        yield counts
        counts.update(self._calls[start:])

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Suspend the process within the block, as a busy machine may do; calls wait."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def provision(self, tables: Iterable[Table]) -> str:
        """Create a service's tables with a new prefix; return the prefix."""
        prefix = f"t{next(_prefixes)}-"
        create_tables(self.client, prefix, tables)
        return prefix

    def database(self, prefix: str) -> Database:
        """Return the tables with a prefix."""
        return Database(self.client, prefix)

    def fill(self, name: str, items: Iterable[Item]) -> None:
        """Put many items in a table quickly, without conditions."""
        pack = self.database("").serialize
        requests: Iterator[Any] = ({"PutRequest": {"Item": pack(item)}} for item in items)
        while batch := list(itertools.islice(requests, 25)):
            self.client.batch_write_item(RequestItems={name: batch})


def evenly_sharded_id(number: int) -> str:
    """Return a new id whose shard of a global list is `number`, modulo the number of shards.

    Random ids fill the shards of a page unevenly once in some thousand pages, which then cost a
    query more: a test that counts queries chooses the shards itself.
    """
    return f"{uuid7()[:-4]}{number % 2**16:04x}"


@pytest.fixture(scope="session")
def dynamo() -> Iterator[Dynamo]:
    """Run DynamoDB in memory, and point boto3's environment at it."""
    port = free_port()
    process = subprocess.Popen(
        [dynoxide.ensure_installed(), "serve", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setattr(database, "READ_TIMEOUT", PATIENCE)
        try:
            _wait_for(port, process)
            yield Dynamo(process)
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    msg = f"Dynoxide does not listen on port {port}"
    raise RuntimeError(msg)
