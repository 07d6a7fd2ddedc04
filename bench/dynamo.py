"""A metered DynamoDB: calls, items and consumed units."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from infra import dynoxide
from infra.runner.free_port import free_port

ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
_START_SECONDS = 20


@dataclass
class Meter:
    """DynamoDB's consumption by a piece of work, in billed units."""

    calls: int = 0
    transactions: int = 0
    items: int = 0
    read_units: float = 0.0
    write_units: float = 0.0

    def __sub__(self, earlier: "Meter") -> "Meter":
        return Meter(
            self.calls - earlier.calls,
            self.transactions - earlier.transactions,
            self.items - earlier.items,
            self.read_units - earlier.read_units,
            self.write_units - earlier.write_units,
        )

    def __add__(self, other: "Meter") -> "Meter":
        return self - (Meter() - other)


class Metered:
    """Metering of all clients of boto3's default session."""

    _ASKED = ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "TransactWriteItems")
    _WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")

    def __init__(self) -> None:
        self.total = Meter()
        self._session = boto3.DEFAULT_SESSION = boto3.Session()
        events: Any = self._session.events
        for operation in self._ASKED:
            events.register(f"provide-client-params.dynamodb.{operation}", self._ask)
        events.register("after-call.dynamodb", self._note)

    def close(self) -> None:
        """Reset boto3's default session."""
        boto3.DEFAULT_SESSION = None

    @contextmanager
    def metered(self) -> Iterator[Meter]:
        """Meter the block; the figures are complete at its end."""
        before, found = Meter() + self.total, Meter()
        yield found
        vars(found).update(vars(self.total - before))

    def _ask(self, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**params, "ReturnConsumedCapacity": "TOTAL"}

    def _note(self, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        used = parsed.get("ConsumedCapacity", [])
        units = sum(one["CapacityUnits"] for one in (used if isinstance(used, list) else [used]))
        kinds = {"write_units": units} if model.name in self._WRITES else {"read_units": units}
        items = parsed.get("ScannedCount", 0) + ("Item" in parsed)
        items += sum(len(found) for found in parsed.get("Responses", {}).values())
        transaction = int(model.name == "TransactWriteItems")
        self.total += Meter(calls=1, transactions=transaction, items=items, **kinds)


@contextmanager
def running() -> Iterator[str]:
    """Run an in-memory DynamoDB, set in boto3's environment variables; yield its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    before = os.environ.get(ENDPOINT)
    process = subprocess.Popen(
        [dynoxide.ensure_installed(), "serve", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.environ[ENDPOINT] = url
    try:
        _wait_for(port, process)
        yield url
    finally:
        if before is None:
            del os.environ[ENDPOINT]
        else:
            os.environ[ENDPOINT] = before
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    msg = f"Dynoxide does not listen on port {port}"
    raise RuntimeError(msg)
