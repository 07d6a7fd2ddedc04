"""XML-RPC over a Unix socket, supervisord's API."""

import http.client
import socket
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy, Transport

SECONDS = 5
CONFIGURATION = "supervisord.conf"

# As in supervisor.xmlrpc.Faults. Containers have no supervisord, but import what reads its faults.
SHUTDOWN_STATE, ALREADY_STARTED, NOT_RUNNING = 6, 60, 70


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self._path))


class _UnixTransport(Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        # Stored where the base class expects it, so that it is reused and finally closed.
        kept = self._connection[1] or _Connection(self._path)
        self._connection = host, kept
        return kept


def proxy(path: Path) -> ServerProxy:
    """Return a proxy, which connects at its first call and again after a failure."""
    return ServerProxy("http://localhost/RPC2", transport=_UnixTransport(path))


def configured_proxy(folder: Path) -> ServerProxy:
    """Return a proxy for the supervisord that runs with the configuration in a folder."""
    lines = (folder / CONFIGURATION).read_text(encoding="utf-8").splitlines()
    return proxy(
        Path(next(line.removeprefix("file=") for line in lines if line.startswith("file=")))
    )
