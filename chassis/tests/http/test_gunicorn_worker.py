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


def test_idle_connections_do_not_block_requests(notes, connect):
    for _ in range(10 * THREADS):
        connect()
    quick(notes)


def test_idle_connection_can_be_used_later(notes, connect):
    late = [connect() for _ in range(10 * THREADS)]
    time.sleep(0.5)
    for _ in range(2):
        for connection in late:
            ask(connection)


def test_connection_closed_unused_leaves_nothing_behind(notes, connect):
    for _ in range(20 * THREADS):
        connect().close()
    quick(notes)
    ask(connect())


def test_request_in_two_pieces_gets_a_response(connect):
    connection = connect()
    connection.sock.sendall(b"GET /healthz HTTP/1.1\r\n")
    time.sleep(0.3)
    connection.sock.sendall(b"Host: notes\r\n\r\n")
    assert connection.sock.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_idle_connections_do_not_delay_shutdown(notes, connect):
    for _ in range(10 * THREADS):
        connect()
    quick(notes)
    start = time.monotonic()
    notes.process.send_signal(signal.SIGTERM)
    assert notes.process.wait(20) == 0
    # Requests in transit on a persistent connection get two seconds.
    assert time.monotonic() - start < WAIT
