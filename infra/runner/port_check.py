"""Check for ports in use before anything starts."""

import errno
import socket
from collections.abc import Iterable

from infra.runner.config import HOST, PORTS, RunConfig


def find_conflicts(config: RunConfig, parts: Iterable[str]) -> list[str]:
    """Return a message for each part whose port can't be used, with the variable to change it."""
    found = []
    for part in parts:
        port, variable = config.ports[part], PORTS[part][0]
        if reason := describe_conflict(port):
            found.append(
                f"port {port} for {part} {reason};"
                f" choose another with {variable}=<port>, as in `make run {variable}={port + 1000}`"
            )
    return found


def describe_conflict(port: int) -> str | None:
    """Return why a port can't be used, or None if it can."""
    with socket.socket() as probe:
        # Some systems allow binding an address that another program covers with a wildcard.
        probe.settimeout(0.5)
        if probe.connect_ex((HOST, port)) == 0:
            return "is in use"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is in use"
            return f"cannot be used ({error.strerror})"
    return None
