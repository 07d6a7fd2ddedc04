"""Graceful shutdown: not ready at once, stopped after the drain time, no request lost."""

import http.client
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.support.instances import Instance, instance

NOTES = "tests.support.sample_app:app"
SECONDS = 2.0
LONG = 30


@pytest.fixture
def settings(tmp_path):
    return {
        "NOTES_FILE": str(tmp_path / "notes"),
        "DRAIN_SECONDS": str(SECONDS),
        "WEB_CONCURRENCY": "2",
    }


@pytest.fixture
def notes(settings):
    with instance(NOTES, settings) as running:
        yield running


@pytest.fixture
def long_drain(settings):
    """An instance with a drain time longer than a test."""
    with instance(NOTES, settings | {"DRAIN_SECONDS": str(LONG)}) as running:
        yield running


def children(process: subprocess.Popen[bytes]) -> list[int]:
    return [
        int(pid)
        for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ]


def seconds_until_exit(running: Instance, start: float) -> float:
    assert running.process.wait(LONG) == 0
    return time.monotonic() - start


def test_shutdown_fails_readiness_at_once_and_serves_on(notes):
    start = time.monotonic()
    notes.process.send_signal(signal.SIGTERM)
    notes.wait_until("/readyz", 503, seconds=SECONDS - 0.5)
    while time.monotonic() - start < SECONDS - 0.3:
        # Every worker says so, and every worker still serves.
        assert notes.get("/readyz") == 503
        assert notes.get("/healthz") == 200
        assert notes.get("/api/notes") == 200
        time.sleep(0.02)
    assert SECONDS < seconds_until_exit(notes, start) < SECONDS + 5


def test_second_signal_stops_at_once(long_drain):
    long_drain.process.send_signal(signal.SIGTERM)
    long_drain.wait_until("/readyz", 503)
    start = time.monotonic()
    long_drain.process.send_signal(signal.SIGTERM)
    assert seconds_until_exit(long_drain, start) < LONG / 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("leaving", [False, True])
def test_other_signals_stop_at_once(long_drain, number, leaving):
    if leaving:
        long_drain.process.send_signal(signal.SIGTERM)
        long_drain.wait_until("/readyz", 503)
    start = time.monotonic()
    long_drain.process.send_signal(number)
    assert seconds_until_exit(long_drain, start) < LONG / 2


def test_zero_drain_time_stops_at_once(settings):
    with instance(NOTES, settings | {"DRAIN_SECONDS": "0"}) as notes:
        start = time.monotonic()
        notes.process.send_signal(signal.SIGTERM)
        assert seconds_until_exit(notes, start) < 5


def test_signal_during_the_start_of_a_worker_is_not_lost(settings, tmp_path):
    slow = tmp_path / "slow_conf.py"
    slow.write_text(
        "import time\n"
        "from chassis.http.gunicorn_conf import *\n"
        f"graceful_timeout = {2 * LONG}\n"
        "def post_fork(server, worker):\n"
        "    time.sleep(1.5 if worker.age == 2 else 0)\n"
    )
    options = ("-c", str(slow))
    with instance(NOTES, settings | {"DRAIN_SECONDS": "0"}, *options) as notes:
        notes.process.send_signal(signal.SIGTERM)
        assert notes.process.wait(LONG) == 0


def test_worker_that_dies_during_shutdown_is_replaced(long_drain):
    long_drain.process.send_signal(signal.SIGTERM)
    long_drain.wait_until("/readyz", 503)
    before = children(long_drain.process)
    os.kill(before[0], signal.SIGKILL)
    end = time.monotonic() + 5
    while len(now := children(long_drain.process)) < 2 or before[0] in now:
        assert time.monotonic() < end
        time.sleep(0.02)
    for _ in range(10):
        assert long_drain.get("/readyz") == 503


def test_workers_are_recycled_before_shutdown(settings):
    with instance(NOTES, settings, "--max-requests", "5") as notes:
        before = set(children(notes.process))
        for _ in range(40):
            assert notes.get("/readyz") == 200
        assert before.isdisjoint(children(notes.process))


def test_request_in_progress_is_finished_after_the_drain_time(notes):
    answers = []
    slow = threading.Thread(
        target=lambda: answers.append(notes.get(f"/api/notes?after={SECONDS + 1}"))
    )
    slow.start()
    time.sleep(0.2)
    notes.process.send_signal(signal.SIGTERM)
    assert notes.process.wait(10) == 0
    slow.join()
    assert answers == [200]


def test_kept_connection_is_closed_during_shutdown(notes):
    connection = http.client.HTTPConnection("127.0.0.1", notes.port, timeout=5)
    connection.request("GET", "/api/notes")
    answer = connection.getresponse()
    answer.read()
    kept = connection.sock
    assert (answer.getheader("Connection"), kept is not None) == ("keep-alive", True)
    notes.process.send_signal(signal.SIGTERM)
    notes.wait_until("/readyz", 503)
    connection.request("GET", "/api/notes")
    assert connection.sock is kept
    answer = connection.getresponse()
    answer.read()
    assert (answer.status, answer.getheader("Connection")) == (200, "close")


def test_no_request_on_a_kept_connection_is_lost(notes):
    """Persistent callers see only complete responses until the instance stops listening."""
    lost, counts, over = [], [], threading.Event()

    def ask() -> None:
        connection, count = http.client.HTTPConnection("127.0.0.1", notes.port, timeout=5), 0
        while not over.is_set():
            fresh = connection.sock is None
            try:
                if fresh:
                    connection.connect()
            except OSError:
                break  # connection refused: a load balancer uses other instances already
            try:
                connection.request("GET", "/api/notes")
                answer = connection.getresponse()
                answer.read()
                count += 1
            except (OSError, http.client.HTTPException) as error:
                # A load balancer retries connections that were never accepted.
                if not fresh:
                    lost.append(repr(error))
                connection.close()
        counts.append(count)

    callers = [threading.Thread(target=ask) for _ in range(8)]
    for caller in callers:
        caller.start()
    time.sleep(0.3)
    notes.process.send_signal(signal.SIGTERM)
    assert notes.process.wait(15) == 0
    over.set()
    for caller in callers:
        caller.join()
    assert lost == []
    assert min(counts) > 5
