"""Free TCP ports for tests, apart for each pytest-xdist worker."""

import itertools
import os
import socket

# Below Linux's ephemeral range (32768 and up), so that no outgoing connection uses one.
_FIRST, _SPAN = 20_000, 1_000
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12
# Different runs start at different ports, because earlier ports may still be closing.
_OFFSETS = itertools.count(os.getpid() * 37)


def free_port() -> int:
    """Return a port on the loopback address that nothing listens on, a new one each time."""
    for _ in range(_SPAN):
        port = _FIRST + _WORKER * _SPAN + next(_OFFSETS) % _SPAN
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    msg = "no port is free"
    raise RuntimeError(msg)
