"""Deadlines of requests, propagated from component to component.

Work for a caller that has stopped waiting only delays others. A request's deadline starts where
the request arrives; every call made for it waits no longer than that, and passes the remaining
time on to the next component. A worker has no deadline.

Only other components may shorten it. An ALB cannot remove the header from requests of clients,
but it marks them by `X-Forwarded-Port`, which no component sends; so does the local gateway.
"""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from chassis.errors import Unavailable
from chassis.headers import DEADLINE, FORWARDED_PORT

MAX_SECONDS = 10.0  # seconds; also the default of a request without the header
RESPONSE_MARGIN = 0.05  # seconds reserved for the way back of the next component's response

_DEADLINE, _FORWARDED_PORT = (
    "HTTP_" + name.upper().replace("-", "_") for name in (DEADLINE, FORWARDED_PORT)
)
_MILLISECONDS = re.compile(r"[0-9]{1,5}", re.ASCII)
_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


def remaining_seconds() -> float | None:
    """Return the remaining seconds; None without a deadline."""
    ends_at = _ends_at.get()
    return None if ends_at is None else ends_at - time.monotonic()


def require_time(needed: float = 0) -> None:
    """Require that time is left.

    Raises:
        Unavailable: at most `needed` seconds are left.
    """
    seconds = remaining_seconds()
    if seconds is not None and seconds <= needed:
        detail = "The request timed out."
        raise Unavailable(detail)


def header_value(seconds: float) -> str:
    """Format the header of a call with this timeout."""
    return str(max(1, int((seconds - RESPONSE_MARGIN) * 1000)))


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Limit the block to some seconds, and to any deadline that already applies."""
    ends_at, outer = time.monotonic() + seconds, _ends_at.get()
    token = _ends_at.set(ends_at if outer is None else min(ends_at, outer))
    try:
        yield
    finally:
        _ends_at.reset(token)


def add_deadlines(app: WSGIApplication) -> WSGIApplication:
    """Wrap an application so that each request has a deadline: a peer's, but bounded."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        from_client = _FORWARDED_PORT in environ
        with limit(MAX_SECONDS if from_client else _seconds(environ.get(_DEADLINE, ""))):
            return app(environ, start_response)

    return application


def _seconds(given: str) -> float:
    seconds = int(given) / 1000 if _MILLISECONDS.fullmatch(given) else 0
    return seconds if 0 < seconds <= MAX_SECONDS else MAX_SECONDS
