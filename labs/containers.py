"""Images and containers of checks, with names of their own, which are removed afterwards."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local_environment import caller_environment
from labs.outcome import CheckInconclusive, CheckNotRun
from labs.workspace import Workspace, last_lines

PREFIX = "labs-check-"
_SECONDS, _BUILD_SECONDS = 60, 600
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "var", "cdk.out", "__pycache__", ".*_cache")


def run_docker(
    *arguments: str,
    given: str | None = None,
    seconds: float = _SECONDS,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run docker, with `given` as its input; raise CheckNotRun if it does not end in time."""
    try:
        return subprocess.run(
            ["docker", *arguments],
            input=given or "",
            env=caller_environment() | dict(environment or {}),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        msg = "docker is not installed"
        raise CheckNotRun(msg) from error
    except subprocess.TimeoutExpired as error:
        msg = f"docker {' '.join(arguments)[:80]} did not end within {seconds:g} s"
        raise CheckNotRun(msg) from error


def require_docker(*arguments: str, seconds: float = _SECONDS) -> str:
    """Run docker, which must succeed, and return its output; raise CheckInconclusive."""
    done = run_docker(*arguments, seconds=seconds)
    if done.returncode:
        msg = f"docker {' '.join(arguments)[:80]} failed: {last_lines(done.stderr)}"
        raise CheckInconclusive(msg)
    return done.stdout


def copy_files(workspace: Workspace, folder: Path) -> Path:
    """Copy the files of a workspace into a folder, and return it."""
    shutil.copytree(workspace.folder, folder, ignore=_NOT_COPIED, symlinks=True)
    return folder


def new_name() -> str:
    """Return a name that no other check has."""
    return f"{PREFIX}{secrets.token_hex(4)}"


@contextmanager
def build_image(
    context: Path, dockerfile: str, arguments: Mapping[str, str] | None = None, target: str = ""
) -> Iterator[str]:
    """Build an image, which exists during the block; raise CheckNotRun if it cannot be built."""
    name = new_name()
    try:
        done = try_build(name, context, dockerfile, arguments, target)
        if done.returncode:
            # A download can fail once; a Dockerfile that is wrong fails twice.
            done = try_build(name, context, dockerfile, arguments, target)
        if done.returncode:
            # What the failing instruction printed, and what the builder says about it.
            raise CheckNotRun(f"{last_lines(done.stdout)}\n{last_lines(done.stderr)}")
        yield name
    finally:
        run_docker("image", "rm", "--force", name)


def try_build(
    name: str,
    context: Path,
    dockerfile: str,
    arguments: Mapping[str, str] | None = None,
    target: str = "",
) -> "subprocess.CompletedProcess[str]":
    """Build an image by Compose, which brings its own builder; return the completed process."""
    build: dict[str, Any] = {
        "context": str(context),
        "dockerfile": dockerfile,
        "args": dict(arguments or {}),
    }
    if target:
        build["target"] = target
    file = json.dumps({"services": {"built": {"image": name, "build": build}}})
    command = ("compose", "--project-name", name, "--file", "-", "build")
    return run_docker(*command, given=file, seconds=_BUILD_SECONDS)


def inspect_image(name: str) -> dict[str, Any]:
    """Return the engine's description of an image."""
    found: list[dict[str, Any]] = json.loads(require_docker("image", "inspect", name))
    return found[0]


@contextmanager
def run_container(
    image: str, environment: Mapping[str, str], options: Sequence[str] = ()
) -> Iterator[str]:
    """Run a container with port 8080 published, during the block; yield its name."""
    name = new_name()
    settings = [f"--env={key}" for key in environment]
    # Values by docker's own environment, because some have several lines.
    done = run_docker(
        *("run", "--detach", "--name", name, "--publish", "127.0.0.1::8080"),
        *options,
        *settings,
        image,
        environment=environment,
    )
    try:
        if done.returncode:
            raise CheckNotRun(last_lines(done.stderr))
        yield name
    finally:
        run_docker("rm", "--force", "--volumes", name)


def container_state(name: str) -> dict[str, Any]:
    """Return the state of a container."""
    found: list[dict[str, Any]] = json.loads(require_docker("container", "inspect", name))
    state: dict[str, Any] = found[0]["State"]
    return state


def published_port(name: str) -> int:
    """Return the port of this machine at which a container's port 8080 is published."""
    listed = require_docker("port", name, "8080/tcp").split()
    return int(listed[0].rpartition(":")[2])


@contextmanager
def compose_project(files: Sequence[Path], settings: Mapping[str, str]) -> Iterator[str]:
    """Name a Compose project; remove its containers, networks and volumes after the block."""
    name = new_name()
    try:
        yield name
    finally:
        down = ("down", "--volumes", "--remove-orphans", "--timeout", "1")
        run_docker(*compose_command(name, files), *down, environment=settings)


def compose_command(project: str, files: Sequence[Path]) -> list[str]:
    """Return the beginning of a Compose command for a project."""
    named = [argument for file in files for argument in ("--file", str(file))]
    return ["compose", "--project-name", project, *named]
