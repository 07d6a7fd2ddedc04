"""gunicorn's threaded worker, in which threads serve complete requests only.

gunicorn's own gives each new connection a thread, which waits for the first byte, and then for the
rest of the request as long as the client takes. Load balancers open connections in advance, and
pass on the bodies of slow senders as they come: a few dozen of either occupy all threads. Here, the
main loop receives requests, within a time and a total size, and threads get them when they are
complete.

Requests that hash a password without a session have threads of their own, so that a flood of them
waits apart from readers.
"""

import json
import os
import re
import selectors
import socket
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from chassis.auth.passwords import hashes_refused
from chassis.deadline import MAX_SECONDS
from chassis.http import graceful_shutdown
from chassis.http.reason_phrases import reason_phrase
from chassis.http.request_buffer import RequestBuffer

RECEIVE_SECONDS = MAX_SECONDS
"""Seconds from a request's first byte to its last, as long as it may take afterwards."""
MAX_RECEIVING_BYTES = 16 * 1024 * 1024
"""Size of all incomplete requests of a process; beyond it, the oldest is given up."""
HASHING_THREADS = 2
"""Threads of a process for sign-ins and registrations: one request is hashed, one is prepared."""
MAX_HASHING_WAIT = 1.0
"""Seconds that a sign-in or registration waits for these threads; then its hash is refused. Another
component that calls this one waits for two seconds or more."""
LINGER_SECONDS = 2.0
"""Seconds for which a connection is still read after its last response."""
_READ_SIZE = 64 * 1024
HASHES_PASSWORD = re.compile(rb"POST /(?:api/users(?:/sessions)?|sign-in|register)[ ?]")
"""Matches a request that hashes a password, of a client that needs no session."""


class _Receiving:
    """A connection of which a part of a request has arrived."""

    def __init__(self, conn: TConn) -> None:
        self.conn = conn
        self.buffer = RequestBuffer()
        self.ends_at = time.monotonic() + RECEIVE_SECONDS
        self.over = False
        self.refused = False
        """Whether the response has been sent; what still arrives is dropped."""


class BufferingThreadWorker(ThreadWorker):
    """Worker whose main loop receives requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # In the order of their ends.
        self._receiving: deque[_Receiving] = deque()
        self._receiving_bytes = 0
        # In the order of their ends.
        self._lingering: dict[TConn, float] = {}

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Create the threads; the worker calls this once, after its fork."""
        self._hashing_pool = ThreadPoolExecutor(HASHING_THREADS, "hashing")
        return super().get_thread_pool()

    def run(self) -> None:
        """Run the main loop until the worker is stopped."""
        super().run()
        self._hashing_pool.shutdown(wait=False, cancel_futures=True)

    def init_signals(self) -> None:
        """Install the worker's handlers, then accept the signals held back since its fork."""
        super().init_signals()
        graceful_shutdown.deliver_signals()

    def handle_quit(self, _sig: int, _frame: Any) -> None:
        """Stop at once, whatever the main loop is doing.

        gunicorn's own handler shuts the thread pool down and raises SystemExit. If the signal
        interrupts the passing of a request to the pool, the former waits for a lock that this
        thread holds, and the latter can leave one held that the pool's threads wait for; both
        last until the master kills the process.
        """
        os._exit(0)

    def enqueue_req(self, conn: TConn) -> None:
        """Receive a connection's next request; its first byte may have arrived or not."""
        if not conn.initialized and not conn.data_ready:
            # The loop calls this again when it has.
            conn.data_ready = True
            conn.sock.setblocking(False)
            conn.set_timeout()
            self.keepalived_conns.append(conn)
            self.poller.register(
                conn.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn)
            )
            return
        receiving = _Receiving(conn)
        if conn.initialized:
            # From a client that did not wait for the previous response.
            receiving.buffer.add(_unreader(conn).take_buffered())
        conn.sock.setblocking(False)
        if self._read(receiving):
            self._pass_on(receiving)
            return
        self._receiving.append(receiving)
        self._receiving_bytes += len(receiving.buffer.data)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive, receiving))
        self._make_room()

    def _receive(self, receiving: _Receiving, _: Any) -> None:
        if receiving.over:
            return  # given up for another request whose event came in the same moment
        before = len(receiving.buffer.data)
        ready = self._read(receiving)
        self._receiving_bytes += len(receiving.buffer.data) - before
        if not ready:
            self._make_room()
        elif receiving.refused:
            self._give_up(receiving)
        else:
            self._remove(receiving)
            self._pass_on(receiving)

    @staticmethod
    def _read(receiving: _Receiving) -> bool:
        """Add what has arrived; return whether the request is complete or the client has gone.

        A request that is too long is refused at once, but received until its client goes: closing
        a connection with unread bytes resets it, and the reset can overtake the response.
        """
        buffer, sock = receiving.buffer, receiving.conn.sock
        if not buffer.complete:
            try:
                data = sock.recv(_READ_SIZE)
            except BlockingIOError:
                return False
            except OSError:
                return True
            if not data:
                return True
            if receiving.refused:
                return False
            buffer.add(data)
        if buffer.too_long:
            receiving.refused = True
            buffer.data.clear()
            _respond(sock, 413, "The request is too long.")
            return False
        if buffer.awaits_continue and not buffer.complete:
            buffer.awaits_continue = False
            _send(sock, b"HTTP/1.1 100 Continue\r\n\r\n")
        return buffer.complete

    def _pass_on(self, receiving: _Receiving) -> None:
        conn = receiving.conn
        conn.init()
        _unreader(conn).unread(bytes(receiving.buffer.data))
        if not HASHES_PASSWORD.match(receiving.buffer.data):
            super().enqueue_req(conn)
            return
        future = self._hashing_pool.submit(self._handle_hashing, conn, time.monotonic())
        future.add_done_callback(
            lambda done: self.method_queue.defer(self.finish_request, conn, done)
        )

    def _handle_hashing(self, conn: TConn, since: float) -> Any:
        if time.monotonic() - since < MAX_HASHING_WAIT:
            return self.handle(conn)
        with hashes_refused():
            return self.handle(conn)

    def _remove(self, receiving: _Receiving) -> None:
        self._receiving.remove(receiving)
        self._receiving_bytes -= len(receiving.buffer.data)
        self.poller.unregister(receiving.conn.sock)

    def _make_room(self) -> None:
        while self._receiving_bytes > MAX_RECEIVING_BYTES:
            self._give_up(self._receiving[0])

    def _give_up(self, receiving: _Receiving) -> None:
        self._remove(receiving)
        receiving.over = True
        self.nr_conns -= 1
        if not receiving.refused:
            _respond(receiving.conn.sock, 408, "The request took too long to arrive.")
        receiving.conn.close()

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep a connection for its next request, or close it without delaying others.

        gunicorn's own close waits in the main loop for up to two seconds, until the client closes
        its side.
        """
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def _linger(self, conn: TConn) -> None:
        """End the sending side, and read until the client closes its side or the time is over.

        Closing a connection with unread bytes resets it, and the reset can overtake the response.
        """
        self._lingering[conn] = time.monotonic() + LINGER_SECONDS
        conn.sock.setblocking(False)
        with suppress(OSError):  # the client has gone, and the socket is readable
            conn.sock.shutdown(socket.SHUT_WR)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._discard, conn))

    def _discard(self, conn: TConn, _: Any) -> None:
        if conn not in self._lingering:
            return  # closed for another connection whose event came in the same moment
        try:
            over = not conn.sock.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            over = True
        if over:
            self._close_lingering(conn)

    def _close_lingering(self, conn: TConn) -> None:
        del self._lingering[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """Close idle connections whose time is over, and the oldest ones at the limit.

        The oldest is the one that has been without a complete request for the longest time.

        At its limit of connections, gunicorn accepts no further ones until idle ones expire. The
        main loop calls this when no event is left whose connection could be closed here.
        """
        super().murder_keepalived(force)  # type: ignore[call-arg]  # missing in the stubs
        while self.nr_conns >= self.worker_connections:
            if self._lingering:
                self._close_lingering(next(iter(self._lingering)))
            elif self._receiving and not self._idle_is_older():
                self._give_up(self._receiving[0])
            elif self.keepalived_conns:
                conn = self.keepalived_conns.popleft()
                self.poller.unregister(conn.sock)
                self.nr_conns -= 1
                conn.close()
            else:
                break  # threads are working for all of them

    def _idle_is_older(self) -> bool:
        """Return whether a connection is idle for longer than the first request has arrived for."""
        if not self.keepalived_conns:
            return False
        idle_since = self.keepalived_conns[0].timeout - self.cfg.keepalive
        return bool(idle_since <= self._receiving[0].ends_at - RECEIVE_SECONDS)

    def murder_pending(self) -> None:
        """Close connections whose request is too slow to arrive or whose client does not close.

        The main loop calls this each second.
        """
        now = time.monotonic()
        for conn in [conn for conn, ends_at in self._lingering.items() if ends_at <= now]:
            self._close_lingering(conn)
        while self._receiving and self._receiving[0].ends_at <= now:
            self._give_up(self._receiving[0])


def _unreader(conn: TConn) -> Any:
    parser: Any = conn.parser  # of HTTP/1.1
    return parser.unreader


def _respond(sock: socket.socket, status: int, detail: str) -> None:
    """Send a response that no application makes, and end the sending side of the connection."""
    title = reason_phrase(status)
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body = json.dumps(problem)
    headers = (
        f"HTTP/1.1 {status} {title}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
    )
    _send(sock, "\r\n".join([*headers, "", body]).encode())
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


def _send(sock: socket.socket, data: bytes) -> None:
    # A new connection's buffer holds it; a client that has gone needs nothing.
    with suppress(OSError):
        sock.send(data)
