"""gunicorn's threaded worker: an idle connection occupies no thread, and no stop signal is lost.

A load balancer opens connections in advance; after a burst, many have never carried a request.
gunicorn gives each new one a thread, which waits up to five seconds for the first byte, so sixteen
of them block an instance with two times eight threads.
"""

import selectors
from functools import partial

from gunicorn.workers.gthread import TConn, ThreadWorker

from chassis.http import graceful_shutdown


class LazyThreadWorker(ThreadWorker):
    """Worker whose main loop waits for the first request of a new connection."""

    def init_signals(self) -> None:
        """Install the worker's handlers, then accept the signals held back since its fork."""
        super().init_signals()
        graceful_shutdown.deliver_signals()

    def enqueue_req(self, conn: TConn) -> None:
        """Pass a connection to a thread if it has data to read."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        # The loop calls this again when it has.
        conn.data_ready = True
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        self.poller.register(
            conn.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn)
        )
