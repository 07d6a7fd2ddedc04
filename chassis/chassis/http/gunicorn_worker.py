"""gunicorn's threaded worker, in which a connection without a request occupies no thread.

A load balancer opens connections in advance; after a burst, many have never carried a request.
gunicorn gives each new one a thread, which waits up to five seconds for the first byte, so sixteen
of them block an instance with two times eight threads.
"""

import selectors
from functools import partial

from gunicorn.workers.gthread import TConn, ThreadWorker


class LazyThreadWorker(ThreadWorker):
    """Worker whose main loop waits for the first request of a new connection."""

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
