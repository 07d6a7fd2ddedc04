"""One HTTP exchange on a bounded pool of kept connections, and what its failure means."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import urllib3
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
class Answer:
    """What came back, whatever it says."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswerError(Exception):
    """Nothing came back.

    `again`: another try may do better at once. `refused`: nobody was there, as a short wait tells
    as well as a long one. `busy`: nobody was asked, for want of a connection.
    """

    def __init__(self, *, again: bool = False, refused: bool = False, busy: bool = False) -> None:
        super().__init__()
        self.again = again
        self.refused = refused
        self.busy = busy


class Connections:
    """At most so many connections to one base URL."""

    def __init__(self, url: str, most: int) -> None:
        self._path = (urllib3.util.parse_url(url).path or "").rstrip("/")
        # Plain urllib3: neither a proxy, a .netrc nor a cookie of another person's call has a say.
        self._pool = urllib3.connection_from_url(url, maxsize=most, block=True)

    def exchange(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
    ) -> Answer:
        """Send one request and read its answer, all within so many seconds.

        Raises:
            NoAnswerError: there is none.
        """
        end = time.monotonic() + seconds
        try:
            response = self._pool.urlopen(
                method,
                self._path + target,
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=seconds, total=seconds),
                pool_timeout=min(POOL_TIMEOUT, seconds),  # type: ignore[arg-type]  # takes floats too
                preload_content=False,
            )
            try:
                read = self._read(response, end)
            except BaseException:
                response.close()
                raise
            finally:
                response.release_conn()
        except (HTTPError, OSError) as error:
            raise NoAnswerError(
                # A slow answer is not waited for twice.
                again=isinstance(error, ConnectTimeoutError | ProtocolError),
                refused=isinstance(error, NewConnectionError),
                busy=isinstance(error, EmptyPoolError),
            ) from error
        return Answer(response.status, response.headers, read)

    def _read(self, response: urllib3.BaseHTTPResponse, end: float) -> bytes:
        pieces = []
        # The read timeout is that of each piece; a trickle must not outlast the whole.
        while piece := response.read1(_PIECE):
            pieces.append(piece)
            if time.monotonic() > end:
                raise NoAnswerError
        return b"".join(pieces)
