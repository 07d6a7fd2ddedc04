"""Graceful shutdown: report not ready at once, stop some seconds later, lose no request.

A load balancer needs a few seconds to notice that an instance is stopping. So after the first
SIGTERM to gunicorn's master, `/readyz` fails in every worker, but the instance continues to serve.
After that time, or at a second SIGTERM, gunicorn stops as usual. SIGINT and SIGQUIT stop it at
once.
"""

import mmap
import os
import signal
from typing import Any

# One byte shared by the master and its workers; it exists before they are forked.
_begun = mmap.mmap(-1, 1)
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def begin() -> None:
    """Mark this instance as stopping."""
    _begun[0] = 1


def has_begun() -> bool:
    """Return whether this instance is stopping."""
    return _begun[0] == 1


def install(arbiter: Any, seconds: float) -> None:
    """Make gunicorn's master continue to serve for some seconds after SIGTERM."""
    stop = arbiter.handle_term

    def handle_term() -> None:
        # The master's main loop calls this, one signal at a time, so there is no race. It keeps
        # the workers running in the meantime.
        again = has_begun()
        begin()
        if again or seconds <= 0:
            stop()
        else:
            # No thread, because the master forks.
            signal.setitimer(signal.ITIMER_REAL, seconds)

    os.register_at_fork(after_in_parent=deliver_signals)
    signal.signal(signal.SIGALRM, lambda *_: arbiter.signal(signal.SIGTERM, None))
    arbiter.handle_term = handle_term


def hold_signals() -> None:
    """Hold stop signals back until `deliver_signals`, in this process and in one forked meanwhile.

    A worker between its fork and its own handlers would run the master's handler, which loses the
    signal; gunicorn then waits for the worker until it kills it (gunicorn's issue 1910).
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)


def deliver_signals() -> None:
    """Deliver the stop signals that were held back, and later ones at once."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def cancel_timer() -> None:
    """Cancel the timer: it must not fire while the interpreter shuts down."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def close_idle_connections(worker: Any) -> None:
    """Close each persistent connection after its next response, once this instance is stopping.

    `Connection: close` announces this to the client, which would otherwise find the connection
    closed while a request is on its way.
    """
    if has_begun():
        worker.max_keepalived = 0
