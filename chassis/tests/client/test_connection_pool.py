"""Failures of an exchange, over real sockets; calls are in `test_service_client`."""

import socket
import threading
import time

import pytest

from chassis.client import connection_pool
from chassis.client.connection_pool import POOL_TIMEOUT, ConnectionPool, NoResponseError
from infra.runner.free_port import free_port
from tests.support.servers import Server, reply


def answer(request, body):
    match request.path:
        case "/base/broken":
            request.close_connection = True
        case "/base/slow":
            time.sleep(1)
            reply(request, 200, b"late")
        case _:
            reply(request, 200, b"well", (("Set-Cookie", "person=ann; Path=/"),))


@pytest.fixture
def server():
    with Server(answer) as server:
        yield server


def failure(connections, target="/", seconds=0.4):
    with pytest.raises(NoResponseError) as raised:
        connections.send("GET", target, None, {}, seconds)
    return {
        name
        for name in ("retryable", "connection_refused", "pool_exhausted")
        if getattr(raised.value, name)
    }


def test_response_is_below_the_base_path_and_keeps_no_cookies(server):
    connections = ConnectionPool(f"{server.url}/base/", 1)
    for _ in range(2):
        found = connections.send("GET", "/well", None, {}, 4)
        assert (found.status, found.body, found.headers["content-length"]) == (200, b"well", "4")
    assert server.connections == 1
    assert not connections._session.cookies


def test_connection_is_kept_until_it_is_old(server, monkeypatch):
    connections = ConnectionPool(server.url, 1)
    monkeypatch.setattr(connection_pool, "MAX_AGE_SECONDS", 60)
    for _ in range(3):
        assert connections.send("GET", "/well", None, {}, 4).status == 200
    assert server.connections == 1
    monkeypatch.setattr(connection_pool, "MAX_AGE_SECONDS", 0.3)
    time.sleep(0.4)
    assert connections.send("GET", "/well", None, {}, 4).status == 200
    assert server.connections == 2


def test_new_address_of_a_name_gets_requests_once_connections_are_old(server, monkeypatch):
    """As with Compose: the former instance still runs, and the name has another address."""
    with Server(lambda request, _: reply(request, 200, b"new")) as other:
        ports = {"before": server.port, "after": other.port}
        now = "before"
        resolve = socket.getaddrinfo

        def look_up(host, port, *options):
            assert host == "posts.forum.local"
            return resolve("127.0.0.1", ports[now], *options)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        connections = ConnectionPool("http://posts.forum.local:8080", 1)
        assert connections.send("GET", "/well", None, {}, 4).body == b"well"
        now = "after"
        assert connections.send("GET", "/well", None, {}, 4).body == b"well"
        monkeypatch.setattr(connection_pool, "MAX_AGE_SECONDS", 0.1)
        time.sleep(0.2)
        assert connections.send("GET", "/well", None, {}, 4).body == b"new"
        assert (server.connections, other.connections) == (1, 1)


def test_refused_connection_is_retryable():
    assert failure(ConnectionPool(f"http://127.0.0.1:{free_port()}", 1)) == {
        "retryable",
        "connection_refused",
    }


def test_connection_timeout_is_retryable():
    # The backlog of one is full, so the kernel ignores further connection attempts.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            connections = ConnectionPool(f"http://127.0.0.1:{listener.getsockname()[1]}", 1)
            assert failure(connections, seconds=4) == {"retryable"}


def test_broken_connection_is_retryable(server):
    assert failure(ConnectionPool(f"{server.url}/base", 1), "/broken") == {"retryable"}


def test_late_response_is_not_retryable(server):
    assert failure(ConnectionPool(f"{server.url}/base", 1), "/slow") == set()


def test_full_pool_times_out(server):
    connections = ConnectionPool(f"{server.url}/base", 1)
    caller = threading.Thread(target=connections.send, args=("GET", "/slow", None, {}, 4))
    caller.start()
    while not server.connections:
        time.sleep(0.01)
    start = time.monotonic()
    assert failure(connections, seconds=0.2) == {"pool_exhausted"}
    assert 0.15 < time.monotonic() - start < POOL_TIMEOUT
    caller.join()
