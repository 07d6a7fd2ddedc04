"""A connection without a request costs no thread."""

import signal
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import pytest

from tests.support.instances import Instance, instance

THREADS = 2
# gunicorn's own worker would let each thread wait so long for the first byte.
WAIT = 5


@pytest.fixture
def notes(tmp_path):
    settings = {
        "NOTES_FILE": str(tmp_path / "notes"),
        "WEB_CONCURRENCY": "1",
        "WORKER_THREADS": str(THREADS),
        "DRAIN_SECONDS": "0",
    }
    with instance("tests.support.sample_app:app", settings) as running:
        yield running


@pytest.fixture
def connect(notes):
    with ExitStack() as stack:

        def made() -> HTTPConnection:
            connection = HTTPConnection("127.0.0.1", notes.port, timeout=WAIT / 2)
            connection.connect()
            return stack.enter_context(closing(connection))

        yield made


def ask(connection: HTTPConnection) -> None:
    connection.request("GET", "/healthz")
    with connection.getresponse() as answer:
        assert (answer.status, answer.read()) == (200, b'{"status":"alive"}\n')


def quick(notes: Instance) -> None:
    start = time.monotonic()
    assert notes.get("/healthz") == 200
    assert time.monotonic() - start < WAIT / 2


def test_connections_that_nobody_uses_keep_nobody_waiting(notes, connect):
    for _ in range(10 * THREADS):
        connect()
    quick(notes)


def test_a_connection_can_be_used_long_after_it_was_made(notes, connect):
    late = [connect() for _ in range(10 * THREADS)]
    time.sleep(0.5)
    for _ in range(2):
        for connection in late:
            ask(connection)


def test_one_that_is_closed_unused_leaves_nothing_behind(notes, connect):
    for _ in range(20 * THREADS):
        connect().close()
    quick(notes)
    ask(connect())


def test_a_request_in_two_pieces_is_answered(connect):
    connection = connect()
    connection.sock.sendall(b"GET /healthz HTTP/1.1\r\n")
    time.sleep(0.3)
    connection.sock.sendall(b"Host: notes\r\n\r\n")
    assert connection.sock.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_an_instance_does_not_stay_for_them(notes, connect):
    for _ in range(10 * THREADS):
        connect()
    quick(notes)
    start = time.monotonic()
    notes.process.send_signal(signal.SIGTERM)
    assert notes.process.wait(20) == 0
    # Requests in transit on a persistent connection get two seconds.
    assert time.monotonic() - start < WAIT
