"""Health of tasks, by the rules of ECS and of the load balancer."""

import http.client
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

INTERVAL = 0.5
# ECS's default grace period for a task behind a load balancer.
GRACE_SECONDS = 60.0


class NotHealthyError(Exception):
    """A container ended, or did not become healthy in time."""


def health_check_command(check: Mapping[str, Any] | None) -> list[str] | None:
    """Return the command of a container's health check; None without one."""
    if not check:
        return None
    kind, *command = check["command"]
    if kind == "NONE":
        return None
    return ["/bin/sh", "-c", *command] if kind == "CMD-SHELL" else command


def startup_seconds(checks: Sequence[Mapping[str, Any]]) -> float:
    """Return the seconds that containers with these checks may take to become healthy."""
    allowed = [
        check.get("startPeriod", 0) + check.get("interval", 30) * check.get("retries", 3)
        for check in checks
    ]
    return max([GRACE_SECONDS, *map(float, allowed)])


def target_is_healthy(address: str, port: int, path: str, codes: str = "200") -> bool:
    """Check a target as the load balancer does; `codes` is e.g. `200` or `200-299,301`."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path)
        return _within(connection.getresponse().status, codes)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait(
    well: Callable[[], bool], ended: Callable[[], str], given_up: Callable[[], bool], seconds: float
) -> bool:
    """Wait until everything is healthy; return False if the wait was cancelled.

    `ended` returns the name of a container that has ended, if there is one.

    Raises:
        NotHealthyError: it ended, or took too long.
    """
    deadline = time.monotonic() + seconds
    while not given_up():
        if which := ended():
            msg = f"{which} ended before it was healthy"
            raise NotHealthyError(msg)
        if well():
            return True
        if time.monotonic() > deadline:
            msg = f"not healthy after {seconds:g} s"
            raise NotHealthyError(msg)
        time.sleep(INTERVAL)
    return False


def _within(status: int, codes: str) -> bool:
    for part in codes.split(","):
        low, _, high = part.partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False
