"""A connection without a complete request costs no thread."""

import json
import signal
import socket
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import BinaryIO

import pytest

from chassis.http.gunicorn_worker import (
    HASHES_PASSWORD,
    HASHING_THREADS,
    LINGER_SECONDS,
    MAX_HASHING_WAIT,
)
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


HEAD = b"POST /api/notes HTTP/1.1\r\nHost: notes\r\nContent-Type: application/json\r\n"
NOTE = b'{"id": "a note"}'
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(NOTE) + NOTE
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (
    *(NOTE[:5], len(NOTE) - 5),
    NOTE[5:],
)


def reply(connection: HTTPConnection) -> HTTPResponse:
    response = HTTPResponse(connection.sock)
    response.begin()
    response.read()
    return response


@pytest.mark.parametrize("sent", [HEAD[:30], HEAD, WHOLE[:-1], CHUNKED[:-1], CHUNKED[:-9]])
def test_slow_senders_do_not_block_requests(notes, connect, sent):
    slow = [connect() for _ in range(10 * THREADS)]
    for connection in slow:
        connection.sock.sendall(sent)
    quick(notes)
    if sent == WHOLE[:-1]:
        slow[0].sock.sendall(WHOLE[-1:])
        assert reply(slow[0]).status == 201
    # Nobody is left behind by those who go away.
    for connection in slow:
        connection.close()
    quick(notes)


@pytest.mark.parametrize("request_", [WHOLE, CHUNKED])
def test_request_in_single_bytes_gets_a_response(connect, request_):
    connection = connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(2):
        for byte in request_:
            connection.sock.send(bytes([byte]))
        assert reply(connection).status == 201


def test_requests_sent_in_advance_get_responses_in_order(connect):
    connection = connect()
    connection.sock.sendall(
        WHOLE + CHUNKED + b"GET /nothing HTTP/1.1\r\nHost: notes\r\n\r\n" + WHOLE[:9]
    )
    with connection.sock.makefile("rb") as stream:
        statuses = [read_status(stream) for _ in range(3)]
        connection.sock.sendall(WHOLE[9:])
        assert [*statuses, read_status(stream)] == [201, 201, 404, 201]


def read_status(stream: BinaryIO) -> int:
    status, length = int(stream.readline().split()[1]), 0
    while line := stream.readline().strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    stream.read(length)
    return status


def test_client_that_expects_continue_gets_it_once(connect):
    connection = connect()
    head, body = WHOLE.split(b"\r\n\r\n")
    connection.sock.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
    with connection.sock.makefile("rb") as stream:
        assert stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert stream.readline() == b"\r\n"
        connection.sock.sendall(body)
        assert read_status(stream) == 201


@pytest.mark.parametrize("headers", ["Content-Length: 9999999", "Transfer-Encoding: chunked"])
def test_request_that_is_too_long_is_refused_while_it_arrives(notes, connect, headers):
    connection = connect()
    connection.sock.settimeout(20)
    connection.sock.sendall(HEAD + headers.encode() + b"\r\n\r\n200000\r\n")
    for _ in range(40):
        connection.sock.sendall(b"x" * 64 * 1024)
    response = HTTPResponse(connection.sock)
    response.begin()
    assert response.status == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert json.loads(response.read())["status"] == 413
    quick(notes)


def test_refused_body_leaves_the_connection_usable(connect):
    connection = connect()
    for _ in range(2):
        body = b" " * 500_000
        connection.sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert reply(connection).status == 413


def test_request_that_takes_too_long_gets_a_408(tmp_path):
    limited = tmp_path / "limited_conf.py"
    limited.write_text(
        "from chassis.http import gunicorn_worker\n"
        "from chassis.http.gunicorn_conf import *\n"
        "gunicorn_worker.RECEIVE_SECONDS = 0.5\n"
    )
    settings = {"NOTES_FILE": str(tmp_path / "notes"), "WEB_CONCURRENCY": "1"}
    with instance("tests.support.sample_app:app", settings, "-c", str(limited)) as notes:
        connection = HTTPConnection("127.0.0.1", notes.port, timeout=20)
        with closing(connection):
            connection.connect()
            connection.sock.sendall(WHOLE[:-1])
            assert reply(connection).status == 408
            assert connection.sock.recv(1) == b""
        assert notes.get("/healthz") == 200


def test_oldest_incomplete_request_makes_room_for_others(tmp_path):
    limited = tmp_path / "limited_conf.py"
    limited.write_text(
        "from chassis.http import gunicorn_worker\n"
        "from chassis.http.gunicorn_conf import *\n"
        "gunicorn_worker.MAX_RECEIVING_BYTES = 100_000\n"
    )
    settings = {"NOTES_FILE": str(tmp_path / "notes"), "WEB_CONCURRENCY": "1"}
    with ExitStack() as stack:
        notes = stack.enter_context(
            instance("tests.support.sample_app:app", settings, "-c", str(limited))
        )
        connections = []
        for _ in range(3):
            connection = HTTPConnection("127.0.0.1", notes.port, timeout=20)
            connections.append(stack.enter_context(closing(connection)))
            connection.connect()
            connection.sock.sendall(HEAD + b"Content-Length: 50000\r\n\r\n" + b" " * 40_000)
            time.sleep(0.2)
        assert reply(connections[0]).status == 408
        for connection in connections[1:]:
            connection.sock.sendall(b" " * 9_984 + NOTE)
            assert reply(connection).status == 201


@pytest.mark.parametrize(
    ("sent", "last_words"), [(b"", b""), (HEAD[:30], b"HTTP/1.1 408 Request Timeout\r\n")]
)
def test_oldest_connections_make_room_beyond_the_limit(tmp_path, sent, last_words):
    limit, opened = 20, 60
    settings = {"NOTES_FILE": str(tmp_path / "notes"), "WEB_CONCURRENCY": "1"}
    options = ("--worker-connections", str(limit))
    with ExitStack() as stack:
        notes = stack.enter_context(instance("tests.support.sample_app:app", settings, *options))
        connections = []
        for _ in range(opened):
            connection = HTTPConnection("127.0.0.1", notes.port, timeout=20)
            connections.append(stack.enter_context(closing(connection)))
            connection.connect()
            connection.sock.sendall(sent)
        # One below the limit is left, so that the next client is accepted.
        for connection in connections[: opened - limit + 1]:
            with connection.sock.makefile("rb") as stream:
                assert stream.readline() == last_words
        assert notes.get("/healthz") == 200
        # Fewer than the limit, because other connections were open for a moment.
        for connection in connections[opened - limit // 2 :]:
            connection.sock.sendall(
                (WHOLE if sent else b"GET /healthz HTTP/1.1\r\nHost: n\r\n\r\n")[len(sent) :]
            )
            assert reply(connection).status == (201 if sent else 200)


@pytest.fixture
def held(tmp_path):
    """A file as long as which exists sign-ins get no response."""
    file = tmp_path / "notes.held"
    file.touch()
    yield file
    file.unlink(missing_ok=True)


SIGN_IN = b"POST /sign-in HTTP/1.1\r\nHost: notes\r\nContent-Length: 0\r\n\r\n"


def test_flood_of_sign_ins_waits_apart_from_readers(notes, connect, held):
    waiting = [connect() for _ in range(20 * THREADS)]
    for connection in waiting:
        connection.sock.sendall(SIGN_IN)
    quick(notes)
    time.sleep(MAX_HASHING_WAIT + 0.5)
    held.unlink()
    statuses = [reply(connection).status for connection in waiting]
    # Those that had a thread, in time; for the others, it became too late to hash.
    assert sorted(statuses) == [200] * HASHING_THREADS + [429] * (len(waiting) - HASHING_THREADS)
    # Nothing is left behind, and the connections stay open.
    for connection in waiting:
        connection.sock.sendall(SIGN_IN)
        assert reply(connection).status == 200


def test_waiting_sign_ins_do_not_delay_shutdown(notes, connect, held):
    for _ in range(20 * THREADS):
        connect().sock.sendall(SIGN_IN)
    quick(notes)
    notes.process.send_signal(signal.SIGTERM)
    held.unlink()
    assert notes.process.wait(20) == 0


@pytest.mark.parametrize(
    ("line", "hashes"),
    [
        (b"POST /api/users HTTP/1.1", True),
        (b"POST /api/users/sessions HTTP/1.1", True),
        (b"POST /sign-in?next=/ HTTP/1.1", True),
        (b"POST /register HTTP/1.1", True),
        (b"GET /sign-in HTTP/1.1", False),
        (b"DELETE /api/users/sessions HTTP/1.1", False),
        (b"POST /api/userscript HTTP/1.1", False),
        (b"POST /api/users/sessions/x HTTP/1.1", False),
        (b"GET /?q=POST /register HTTP/1.1", False),
    ],
)
def test_requests_that_hash_without_a_session_are_known(line, hashes):
    assert bool(HASHES_PASSWORD.match(line)) is hashes


LAST = b"GET /healthz HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n"


def test_clients_that_do_not_close_after_a_response_delay_no_others(notes, connect):
    left = [connect() for _ in range(3)]
    for connection in left:
        connection.sock.sendall(LAST)
    quick(notes)
    for connection in left:
        response = reply(connection)
        assert (response.status, response.headers["Connection"]) == (200, "close")
        assert connection.sock.recv(1) == b""
    # After a while, both sides are closed: what is sent is refused.
    end = time.monotonic() + 2 * WAIT
    while not is_refused(left[0]):
        assert time.monotonic() < end
        time.sleep(0.05)
    quick(notes)


def is_refused(connection: HTTPConnection) -> bool:
    try:
        connection.sock.sendall(b"x")
    except ConnectionError:
        return True
    return False


def test_bytes_after_the_last_request_do_not_reset_its_response(connect):
    for _ in range(20):
        connection = connect()
        connection.sock.sendall(LAST + b"x" * 200_000)
        assert reply(connection).status == 200
        assert connection.sock.recv(1) == b""


def test_clients_that_do_not_close_after_a_response_make_room(tmp_path):
    limit = 20
    settings = {"NOTES_FILE": str(tmp_path / "notes"), "WEB_CONCURRENCY": "1"}
    options = ("--worker-connections", str(limit))
    with ExitStack() as stack:
        notes = stack.enter_context(instance("tests.support.sample_app:app", settings, *options))
        start = time.monotonic()
        for _ in range(5 * limit):
            connection = HTTPConnection("127.0.0.1", notes.port, timeout=20)
            stack.enter_context(closing(connection))
            connection.connect()
            connection.sock.sendall(LAST)
            assert reply(connection).status == 200
        # Four times as long, if each had to wait until others' time is over.
        assert time.monotonic() - start < 2 * LINGER_SECONDS


def test_quit_signal_while_a_request_is_passed_to_a_thread_stops(tmp_path):
    marker = tmp_path / "quit"
    interrupted = tmp_path / "interrupted_conf.py"
    interrupted.write_text(
        "import os, signal\n"
        "from pathlib import Path\n"
        "from chassis.http.gunicorn_conf import *\n"
        "def post_worker_init(worker):\n"
        "    start_thread = worker.tpool._adjust_thread_count\n"
        "    def interrupted():\n"
        f"        if Path({str(marker)!r}).exists():\n"
        "            os.kill(os.getpid(), signal.SIGQUIT)\n"
        "        start_thread()\n"
        "    worker.tpool._adjust_thread_count = interrupted\n"
    )
    settings = {"NOTES_FILE": str(tmp_path / "notes"), "WEB_CONCURRENCY": "1"}
    with instance("tests.support.sample_app:app", settings, "-c", str(interrupted)) as notes:
        [stopped] = workers(notes)
        marker.touch()
        notes.get("/healthz")  # answered or not: another thread may be faster
        end = time.monotonic() + WAIT
        while stopped in workers(notes):
            assert time.monotonic() < end
            time.sleep(0.02)
        marker.unlink()
        notes.wait_until("/healthz", 200)


def workers(notes: Instance) -> list[str]:
    master = notes.process.pid
    return Path(f"/proc/{master}/task/{master}/children").read_text().split()


def test_idle_connections_do_not_delay_shutdown(notes, connect):
    for _ in range(10 * THREADS):
        connect()
    quick(notes)
    start = time.monotonic()
    notes.process.send_signal(signal.SIGTERM)
    assert notes.process.wait(20) == 0
    # Requests in transit on a persistent connection get two seconds.
    assert time.monotonic() - start < WAIT
