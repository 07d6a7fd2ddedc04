"""Names below `localhost` are this machine (RFC 6761); not every system's resolver knows that."""

import socket
from typing import Any

_asked = socket.getaddrinfo


def _resolve(host: Any, *more: Any, **named: Any) -> Any:
    if isinstance(host, str) and host.rstrip(".").endswith(".localhost"):
        host = "127.0.0.1"
    return _asked(host, *more, **named)


def install() -> None:
    """Make such names resolvable for every client of this process, as in browsers and curl."""
    socket.getaddrinfo = _resolve
