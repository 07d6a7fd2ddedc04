"""One HTTP exchange on a bounded pool of kept connections, and what its failure means."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    EmptyPoolError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
)

CONNECT_TIMEOUT = 0.5  # seconds
POOL_TIMEOUT = 0.5  # seconds that an exchange waits for one of the connections
_PIECE = 64 * 1024


@dataclass(frozen=True)
class HttpResponse:
    """What came back, whatever it says."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoResponseError(Exception):
    """Nothing came back.

    `again`: another try may do better at once. `refused`: nobody was there, as a short wait tells
    as well as a long one. `busy`: nobody was asked, for want of a connection.
    """

    def __init__(
        self,
        *,
        retryable: bool = False,
        connection_refused: bool = False,
        pool_exhausted: bool = False,
    ) -> None:
        super().__init__()
        self.retryable = retryable
        self.connection_refused = connection_refused
        self.pool_exhausted = pool_exhausted


class ConnectionPool:
    """At most so many connections to one base URL."""

    def __init__(self, url: str, most: int) -> None:
        self._base = url.rstrip("/")
        self._session = _Session()
        # Peers decide on retries, so what went wrong comes as urllib3 tells it.
        adapter = _Adapter(1, most, max_retries=urllib3.Retry(total=False), pool_block=True)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
    ) -> HttpResponse:
        """Send one request and read its answer, all within so many seconds.

        Raises:
            NoAnswerError: there is none.
        """
        end = time.monotonic() + seconds
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=seconds, total=seconds)
        try:
            # Prepared on its own: the session adds nothing, such as a wish for compression.
            request = requests.Request(method, self._base + target, headers, data=body).prepare()
            with self._session.send(
                request,
                stream=True,
                timeout=timeout,  # type: ignore[arg-type]  # takes urllib3's own, which has a total
                allow_redirects=False,
            ) as response:
                read = _read(response.raw, end)
        except (HTTPError, OSError) as error:  # what requests raises is an OSError
            cause = error.args[0] if isinstance(error, requests.ConnectionError) else error
            raise NoResponseError(
                # A slow answer is not waited for twice.
                retryable=isinstance(cause, ConnectTimeoutError | ProtocolError),
                connection_refused=isinstance(cause, NewConnectionError),
                pool_exhausted=isinstance(cause, EmptyPoolError),
            ) from error
        return HttpResponse(response.status_code, response.headers, read)


def _read(raw: urllib3.BaseHTTPResponse, end: float) -> bytes:
    pieces = []
    # The read timeout is that of each piece; a trickle must not outlast the whole.
    while piece := raw.read1(_PIECE, decode_content=True):
        pieces.append(piece)
        if time.monotonic() > end:
            raise NoResponseError
    return b"".join(pieces)


class _Session(requests.Session):
    """A session in which neither a proxy, a .netrc nor a cookie of another's call has a say."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Find none: to prepare the next request, requests would read the body without an end."""


class _Pool(urllib3.HTTPConnectionPool):
    """A pool in which nobody waits long; requests itself can only wait for ever."""

    def urlopen(self, *args: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        """Send one request."""
        options["pool_timeout"] = min(POOL_TIMEOUT, options["timeout"].total)
        return super().urlopen(*args, **options)


class _TlsPool(_Pool, urllib3.HTTPSConnectionPool):
    """The same with TLS."""


class _Adapter(HTTPAdapter):
    """Makes those pools."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Build what makes pools."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
