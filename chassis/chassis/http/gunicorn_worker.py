"""gunicorn's threaded worker, where a connection without a request costs no thread.

A load balancer opens connections ahead of need: after a burst many are left that no request ever
used. gunicorn gives each new one a thread, which waits up to five seconds for the first byte, so
sixteen of them keep an instance of two times eight threads from answering anybody.
"""

import selectors
from functools import partial

from gunicorn.workers.gthread import TConn, ThreadWorker


class LazyThreadWorker(ThreadWorker):
    """Treats a new connection like one that is kept: the main loop waits for its first request."""

    def enqueue_req(self, conn: TConn) -> None:
        """Hand a connection to a thread, if there is something to read."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        # The loop calls this again when there is.
        conn.data_ready = True
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        self.poller.register(
            conn.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn)
        )
