"""An instance is replaced under load: real gunicorns behind the real gateway, no request fails."""

import itertools
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from infra.runner.free_port import free_port
from infra.tests.gateway.upstreams import Running, running
from tests.support.instances import Instance, instance

NOTES = "tests.support.sample_app:app"
ROUNDS = 4
# The gateway checks every 1.2 s at most; the rest is a margin for a busy machine.
DRAIN_SECONDS = 3.0
# Pauses between two requests of a caller, in seconds: some never rest, some leave their
# connection alone for longer than it takes to replace an instance.
PAUSES = (0.005, 0.005, 0.005, 0.02, 0.02, 0.3, 1.5, 4.0)


@dataclass
class Load:
    """Callers on persistent connections, which alternate reads and writes."""

    port: int
    stop: threading.Event = field(default_factory=threading.Event)
    written: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    served: int = 0

    def call(self, caller: int, pause: float) -> None:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            for number in itertools.count():
                self._ask(connection, f"{caller}-{number}", writes=number % 2 == 1)
                if self.stop.wait(pause * random.uniform(0.5, 1)):
                    return

    def _ask(self, connection: HTTPConnection, note: str, *, writes: bool) -> None:
        path = f"/api/notes?after={random.choice(['0', '0', '0.01', '0.2'])}"
        try:
            if writes:
                kind = {"Content-Type": "application/json"}
                connection.request("POST", path, json.dumps({"id": note}), kind)
            else:
                connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            self.failures.append(f"{note}: {error!r}")
            connection.close()
            return
        self.served += 1
        if answer.status != (201 if writes else 200):
            self.failures.append(f"{note}: {answer.status} {text!r}")
        elif writes:
            self.written.append(note)


@pytest.fixture
def load(tmp_path: Path) -> Iterator[tuple[Load, Running, list[int]]]:
    """Provide callers at a gateway with two addresses."""
    ports = [free_port(), free_port()]
    with running(frozenset(), {"monolith": ports}, tmp_path) as gateway:
        yield Load(gateway.port), gateway, ports


def sees(gateway: Running, revision: str) -> None:
    """Wait until the gateway sends requests to an instance."""
    end = time.monotonic() + 10
    while f"notes/{revision}" != gateway.ask("/api/notes")[0].headers["X-Served-By"]:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_no_request_fails_while_instances_are_replaced(
    tmp_path: Path, load: tuple[Load, Running, list[int]]
) -> None:
    callers, gateway, ports = load
    notes = tmp_path / "notes"
    threads = [
        threading.Thread(target=callers.call, args=(number, pause))
        for number, pause in enumerate(PAUSES)
    ]
    with ExitStack() as stack:

        def start(number: int) -> Instance:
            settings = {
                "NOTES_FILE": str(notes),
                "REVISION": f"r{number}",
                "DRAIN_SECONDS": str(DRAIN_SECONDS),
            }
            return stack.enter_context(instance(NOTES, settings, port=ports[number % 2]))

        old = start(0)
        sees(gateway, "r0")
        for thread in threads:
            thread.start()
        try:
            for number in range(1, ROUNDS + 1):
                new = start(number)
                sees(gateway, f"r{number}")
                old.process.send_signal(signal.SIGTERM)
                assert old.process.wait(20) == 0
                old = new
                time.sleep(0.3)
        finally:
            callers.stop.set()
            for thread in threads:
                thread.join()
    assert callers.failures == []
    assert callers.served > 50 * ROUNDS
    kept = [line.split()[0] for line in notes.read_text().splitlines()]
    assert sorted(kept) == sorted(callers.written)
    attempts = {entry["attempts"] for entry in gateway.logged(callers.served)}
    assert attempts <= {1, 2}
