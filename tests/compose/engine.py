"""The container engine, by its command line."""

import http.client
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

from infra.runner.config import ROOT

_LABEL = "label=com.docker.compose.project="
BASE = "python:3.13-slim"


def run(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run docker; return the completed process."""
    return subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def docker(*arguments: str) -> str:
    """Run docker, which must succeed; return its output."""
    done = run(*arguments)
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stderr}"
    return done.stdout


def as_root_of_the_machine(command: str) -> None:
    """Run a command in the process namespace of the engine's machine."""
    root = ("--rm", "--pid=host", "--user=0")
    docker("run", *root, "forum-tools", "sh", "-c", command)


def left_of(project: str) -> list[str]:
    """Return the names of a Compose project's containers, networks and volumes."""
    label = _LABEL + project
    return [
        line
        for listed in (("ps", "-a"), ("network", "ls"), ("volume", "ls"))
        for line in docker(*listed, "-q", "--filter", label).split()
    ]


def status_of(url: str, headers: Mapping[str, str] | None = None) -> int:
    """Return the status of a GET request; 0 without a response."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=2)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers or {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
