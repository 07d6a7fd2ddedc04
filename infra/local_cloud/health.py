"""When a task may get requests: the rules of ECS and of the load balancer."""

import http.client
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

INTERVAL = 0.5
# ECS allows this for a task behind a load balancer that names no grace period of its own.
GRACE_SECONDS = 60.0


class NotHealthyError(Exception):
    """A container ended, or did not say in time that it is well."""


def health_check_command(check: Mapping[str, Any] | None) -> list[str] | None:
    """Return the command of a container's health check, None if it has none."""
    if not check:
        return None
    kind, *command = check["command"]
    if kind == "NONE":
        return None
    return ["/bin/sh", "-c", *command] if kind == "CMD-SHELL" else command


def startup_seconds(checks: Sequence[Mapping[str, Any]]) -> float:
    """Tell for how long the containers with these checks may take to be well, in seconds."""
    allowed = [
        check.get("startPeriod", 0) + check.get("interval", 30) * check.get("retries", 3)
        for check in checks
    ]
    return max([GRACE_SECONDS, *map(float, allowed)])


def target_is_healthy(address: str, port: int, path: str, codes: str = "200") -> bool:
    """Ask a target as the load balancer does; `codes` is such as `200` or `200-299,301`."""
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
    """Wait until all is well; answers False if nobody waits any more.

    `ended` names what has ended, if something has.

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
