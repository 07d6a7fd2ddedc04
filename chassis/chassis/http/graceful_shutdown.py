"""Stopping without losing a request: not ready at once, gone some seconds later.

A load balancer needs a few seconds to see that an instance is leaving. So the first SIGTERM to
gunicorn's master only lets `/readyz` say so, in every worker, and the instance serves on; after
that time, or at a second SIGTERM, gunicorn stops as it always does. SIGINT and SIGQUIT stop it at
once, as ever.
"""

import mmap
import signal
from typing import Any

# One byte that the master and its workers share: it exists before they are forked.
_begun = mmap.mmap(-1, 1)


def begin() -> None:
    """Remember that this instance is leaving."""
    _begun[0] = 1


def has_begun() -> bool:
    """Return whether this instance is leaving."""
    return _begun[0] == 1


def install(arbiter: Any, seconds: float) -> None:
    """Let gunicorn's master serve on for so many seconds after SIGTERM."""
    stop = arbiter.handle_term

    def handle_term() -> None:
        # The master's main loop calls this, one signal after another, so nothing races here. It
        # keeps the workers up meanwhile, as at any other time.
        again = has_begun()
        begin()
        if again or seconds <= 0:
            stop()
        else:
            # No thread, because the master forks.
            signal.setitimer(signal.ITIMER_REAL, seconds)

    signal.signal(signal.SIGALRM, lambda *_: arbiter.signal(signal.SIGTERM, None))
    arbiter.handle_term = handle_term


def cancel_timer() -> None:
    """Forget the time that is left: a timer must not hit the interpreter while it winds up."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def close_idle_connections(worker: Any) -> None:
    """Close each kept connection after its next answer, once this instance is leaving.

    Whoever keeps one is told by `Connection: close`, instead of finding it closed while a request
    is on its way.
    """
    if has_begun():
        worker.max_keepalived = 0
