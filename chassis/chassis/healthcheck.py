"""Health check of a container, for images without curl.

    python -m chassis.healthcheck               GET /readyz on $PORT (8080) is not a 5xx
    python -m chassis.healthcheck 8000 /        another port and path
    python -m chassis.healthcheck --heartbeat   the last heartbeat is within HEARTBEAT_SECONDS

Exits with 0 or 1, as the health checks of Docker and ECS expect. It runs every few seconds in each
container, so it imports very little.
"""

import os
import socket
import sys
import time

PORT, PATH = os.environ.get("PORT", "8080"), "/readyz"
SECONDS = 2.0
HEARTBEAT_SECONDS = 15.0
HEARTBEAT_FILE = "HEARTBEAT_FILE"
"""The environment variable with the path of a worker's heartbeat file."""


def is_ready(port: int, path: str) -> bool:
    """Return whether the server on this port is ready."""
    asked = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            connection.settimeout(SECONDS)
            connection.sendall(asked.encode())
            with connection.makefile("rb") as answer:
                _, status = answer.read().split(maxsplit=2)[:2]
        return int(status) < 500
    except (OSError, ValueError):
        return False


def record_heartbeat() -> None:
    """Record a worker's heartbeat, if a file is configured."""
    if file := os.environ.get(HEARTBEAT_FILE):
        with open(file, "wb"):  # noqa: PTH123
            os.utime(file)


def has_heartbeat() -> bool:
    """Return whether the worker's last heartbeat is recent."""
    try:
        return time.time() - os.stat(os.environ[HEARTBEAT_FILE]).st_mtime < HEARTBEAT_SECONDS  # noqa: PTH116
    except (OSError, KeyError):
        return False


def main(arguments: list[str]) -> int:
    """Run the check; return the exit code."""
    if arguments == ["--heartbeat"]:
        return 0 if has_heartbeat() else 1
    port, path = [*arguments, *(PORT, PATH)[len(arguments) :]]
    return 0 if is_ready(int(port), path) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
