"""Find out which ports are taken before anything starts."""

import errno
import socket

from infra.runner.config import HOST, PORTS, RunConfig


def find_conflicts(config: RunConfig) -> list[str]:
    """Say for each part whose port can't be used why not, and how to choose another."""
    found = []
    for part in config.servers:
        port, variable = config.ports[part], PORTS[part][0]
        if reason := _conflict(port):
            found.append(
                f"port {port}, which {part} needs, {reason};"
                f" choose another with {variable}=<port>, as in `make run {variable}={port + 1000}`"
            )
    return found


def _conflict(port: int) -> str | None:
    with socket.socket() as probe:
        # Some systems let a program bind an address that another one covers with a wildcard.
        probe.settimeout(0.5)
        if probe.connect_ex((HOST, port)) == 0:
            return "is taken"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is taken"
            return f"can't be used ({error.strerror})"
    return None
