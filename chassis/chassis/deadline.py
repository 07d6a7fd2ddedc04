"""How long a request may still take, passed on from component to component.

Work that nobody waits for any more only keeps others waiting. A request's deadline starts where
it arrives; every call that is made for it waits no longer than that, and tells the next component
what is left. A worker has no deadline.
"""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from chassis.errors import Unavailable
from chassis.headers import DEADLINE

MAX_SECONDS = 10.0  # seconds; also what a request gets that says nothing
RESPONSE_MARGIN = 0.05  # seconds that the answer of the next component needs on its way back

_MILLISECONDS = re.compile(r"[0-9]{1,5}", re.ASCII)
_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


def remaining_seconds() -> float | None:
    """Return the seconds that are left, None where there is no deadline."""
    ends_at = _ends_at.get()
    return None if ends_at is None else ends_at - time.monotonic()


def require_time(needed: float = 0) -> None:
    """Go on only while there is time.

    Raises:
        Unavailable: no more than `needed` seconds are left.
    """
    seconds = remaining_seconds()
    if seconds is not None and seconds <= needed:
        detail = "This took too long."
        raise Unavailable(detail)


def header_value(seconds: float) -> str:
    """Write the header of a call that is waited for so long."""
    return str(max(1, int((seconds - RESPONSE_MARGIN) * 1000)))


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Let what the block does take no longer than this, nor than a deadline that counts already."""
    ends_at, outer = time.monotonic() + seconds, _ends_at.get()
    token = _ends_at.set(ends_at if outer is None else min(ends_at, outer))
    try:
        yield
    finally:
        _ends_at.reset(token)


def add_deadlines(app: WSGIApplication) -> WSGIApplication:
    """Return every request of an application its deadline: as its caller says, but bounded."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with limit(_seconds(environ.get("HTTP_" + DEADLINE.upper().replace("-", "_"), ""))):
            return app(environ, start_response)

    return application


def _seconds(given: str) -> float:
    seconds = int(given) / 1000 if _MILLISECONDS.fullmatch(given) else 0
    return seconds if 0 < seconds <= MAX_SECONDS else MAX_SECONDS
