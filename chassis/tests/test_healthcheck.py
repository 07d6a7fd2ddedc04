import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chassis import healthcheck


@contextmanager
def serving(status: int, seconds: float = 0) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(seconds)
            self.send_response(status if self.path == "/well" else 500)
            self.end_headers()
            self.wfile.write(b"told")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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
