"""Return whether what runs in this container is well, for images without curl.

    python -m chassis.healthcheck               GET /readyz on $PORT (8080) is no 5xx
    python -m chassis.healthcheck 8000 /        another port and path
    python -m chassis.healthcheck --heartbeat        a worker was at work within HEARTBEAT_SECONDS

Exits with 0 or 1, as Docker's and ECS' health checks want it. It runs every few seconds in each
container, so it imports next to nothing.
"""

import os
import socket
import sys
import time

PORT, PATH = os.environ.get("PORT", "8080"), "/readyz"
SECONDS = 2.0
HEARTBEAT_SECONDS = 15.0
HEARTBEAT_FILE = "HEARTBEAT_FILE"
"""Names the environment variable with the file that a worker touches while it is at work."""


def is_ready(port: int, path: str) -> bool:
    """Ask what listens on this port whether it can do its work."""
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
    """Leave a sign that a worker is at work, where it was told to."""
    if file := os.environ.get(HEARTBEAT_FILE):
        with open(file, "wb"):  # noqa: PTH123
            os.utime(file)


def has_heartbeat() -> bool:
    """Return whether the worker was at work lately."""
    try:
        return time.time() - os.stat(os.environ[HEARTBEAT_FILE]).st_mtime < HEARTBEAT_SECONDS  # noqa: PTH116
    except (OSError, KeyError):
        return False


def main(arguments: list[str]) -> int:
    """Return the exit code."""
    if arguments == ["--heartbeat"]:
        return 0 if has_heartbeat() else 1
    port, path = [*arguments, *(PORT, PATH)[len(arguments) :]]
    return 0 if is_ready(int(port), path) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
