"""HTTP exchanges on a bounded pool of persistent connections, and their failures."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    EmptyPoolError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
)

CONNECT_TIMEOUT = 0.5  # seconds
POOL_TIMEOUT = 0.5  # seconds that an exchange waits for one of the connections
MAX_AGE_SECONDS = 60.0
"""Maximum age of a connection. The next one looks the name up again, so that instances which were
added later get requests too, and one that left the service gets no more."""
_PIECE = 64 * 1024


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response with any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoResponseError(Exception):
    """No response was received.

    `again`: an immediate retry may succeed. `refused`: the connection was refused, so a longer
    timeout would not have helped. `busy`: no connection was free, so nothing was sent.
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
    """A bounded number of connections to one base URL."""

    def __init__(self, url: str, most: int) -> None:
        self._base = url.rstrip("/")
        self._session = _Session()
        # ServiceClient decides about retries, so urllib3's errors are passed on unchanged.
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
        """Send one request and read its response, all within `seconds`.

        Raises:
            NoResponseError: no response was received.
        """
        end = time.monotonic() + seconds
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=seconds, total=seconds)
        try:
            # Prepared on its own: the session adds nothing, such as a wish for compression.
            request = requests.Request(method, self._base + target, headers, data=body).prepare()
            with self._session.send(
                request,
                stream=True,
                timeout=timeout,  # type: ignore[arg-type]  # urllib3's own timeout, which has a total
                allow_redirects=False,
            ) as response:
                read = _read(response.raw, end)
        except (HTTPError, OSError) as error:  # what requests raises is an OSError
            cause = error.args[0] if isinstance(error, requests.ConnectionError) else error
            raise NoResponseError(
                # A slow response is not retried.
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
    """A session that ignores proxies, .netrc and cookies of other calls."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: to prepare a redirect, requests would read the body without a limit."""


class _Dated:
    """A connection that knows when it was opened."""

    opened_at = 0.0

    def connect(self) -> None:
        """Connect."""
        super().connect()  # type: ignore[misc]
        self.opened_at = time.monotonic()


class _Connection(_Dated, HTTPConnection):
    """The same without TLS."""


class _TlsConnection(_Dated, HTTPSConnection):
    """The same with TLS."""


class _Pool(urllib3.HTTPConnectionPool):
    """A pool with a short wait for a free connection, and with connections of a limited age.

    requests itself can only wait forever, and keeps connections for as long as they are in use.
    """

    ConnectionCls = _Connection

    def urlopen(self, *args: Any, **options: Any) -> urllib3.BaseHTTPResponse:
        """Send one request."""
        options["pool_timeout"] = min(POOL_TIMEOUT, options["timeout"].total)
        return super().urlopen(*args, **options)

    def _get_conn(self, timeout: float | None = None) -> Any:
        """Return a connection, closed if it is too old: it connects again when it is used."""
        connection = super()._get_conn(timeout)
        if time.monotonic() - connection.opened_at > MAX_AGE_SECONDS:  # type: ignore[attr-defined]
            connection.close()
        return connection


class _TlsPool(_Pool, urllib3.HTTPSConnectionPool):
    """The same with TLS."""

    ConnectionCls = _TlsConnection  # type: ignore[assignment]


class _Adapter(HTTPAdapter):
    """Adapter that uses these pools."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Build the pool manager."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
