import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from chassis import healthcheck
from tests.support.servers import Server, reply
from tests.support.waits import wait_until


@contextmanager
def serving(status: int, seconds: float = 0) -> Iterator[int]:
    def answer(request: BaseHTTPRequestHandler, _: bytes) -> None:
        time.sleep(seconds)
        reply(request, status if request.path == "/well" else 500, b"told")

    with Server(answer) as server:
        yield server.port


@pytest.mark.parametrize(("status", "well"), [(200, True), (404, True), (503, False), (500, False)])
def test_healthcheck_passes_unless_the_status_is_an_error(status: int, well: bool) -> None:
    with serving(status) as port:
        assert healthcheck.is_ready(port, "/well") is well


def test_healthcheck_uses_the_given_path() -> None:
    with serving(200) as port:
        assert not healthcheck.is_ready(port, "/elsewhere")


def test_healthcheck_fails_when_refused_or_timed_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(healthcheck, "SECONDS", 0.2)
    with serving(200, seconds=1) as port:
        assert not healthcheck.is_ready(port, "/well")
    assert not healthcheck.is_ready(port, "/well")


def test_worker_is_healthy_while_its_heartbeat_is_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTBEAT_FILE", str(tmp_path / "beat"))
    assert healthcheck.main(["--heartbeat"]) == 1
    healthcheck.record_heartbeat()
    assert healthcheck.main(["--heartbeat"]) == 0
    monkeypatch.setattr(healthcheck, "HEARTBEAT_SECONDS", 0.0)
    assert healthcheck.main(["--heartbeat"]) == 1
    healthcheck.record_heartbeat()
    monkeypatch.delenv("HEARTBEAT_FILE")
    healthcheck.record_heartbeat()
    assert healthcheck.main(["--heartbeat"]) == 1


def test_healthcheck_runs_without_any_library() -> None:
    with serving(200) as port:
        command = [sys.executable, "-S", healthcheck.__file__, str(port), "/well"]
        assert subprocess.run(command, check=False).returncode == 0


def test_fake_server_waits_for_its_threads() -> None:
    before = threading.active_count()
    with serving(200, 0.5) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /well HTTP/1.1\r\n\r\n")
        wait_until(lambda: threading.active_count() > before + 1)
    assert threading.active_count() == before
