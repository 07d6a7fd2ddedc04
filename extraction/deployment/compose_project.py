"""The Compose project of a forum whose containers run from this folder."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from extraction.deployment.port import DeploymentError
from infra import stages
from infra.local_environment import caller_environment
from infra.runner.config import ROOT

OVERRIDE = "compose.override.yaml"
MARK = "# Written by `make extract`"
"""The beginning of a generated file, which a user's own file lacks."""
_COMPOSE = "com.docker.compose"
_PROFILES = ",".join((*stages.DOMAINS, "tools"))
_SAID = 1500  # characters of the engine's output


@dataclass(frozen=True)
class ComposeProject:
    """A project as it was started: its files, and its value of EXTRACTED."""

    name: str
    folder: Path
    files: tuple[str, ...]
    environment_files: tuple[str, ...]
    extracted: frozenset[str]

    @property
    def has_override(self) -> bool:
        """Return whether the next `docker compose up` also reads `compose.override.yaml`."""
        return self.files == (str(self.folder / "compose.yaml"),)

    def command(self, *arguments: str) -> list[str]:
        """Return the Compose command line for this project."""
        files = [part for file in self.files for part in ("-f", file)]
        env_files = [part for file in self.environment_files for part in ("--env-file", file)]
        where = ("-p", self.name, "--project-directory", str(self.folder))
        return ["docker", "compose", *where, *files, *env_files, "--progress", "quiet", *arguments]

    def environment(self, profiles: str = _PROFILES) -> dict[str, str]:
        """Return the environment of that command: the same forum, with all services enabled."""
        setting = stages.as_setting(self.extracted)
        return caller_environment() | {"EXTRACTED": setting, "COMPOSE_PROFILES": profiles}

    def up(self, names: Sequence[str]) -> None:
        """Start containers that do not run, without touching others; raise DeploymentError."""
        self._build_what_is_missing(names)
        self._run("up", "--detach", "--no-deps", "--no-recreate", "--no-build", *names)

    def down(self, names: Sequence[str]) -> None:
        """Stop and remove containers; raise DeploymentError."""
        if names:
            self._run("rm", "--stop", "--force", *names)

    def running(self) -> set[str]:
        """Return the services whose containers run."""
        return set(self._run("ps", "--services", "--status", "running").split())

    def stop(self, names: Iterable[str]) -> None:
        """Stop containers without removing them; raise DeploymentError."""
        if wanted := sorted(names):
            self._run("stop", *wanted)

    def up_and_wait(self, names: Sequence[str], services: Iterable[str] = ()) -> None:
        """Start containers after those they depend on, and wait until all are healthy.

        The gateway depends on each of the forum's services that is enabled: these `services` are.

        Raises:
            DeploymentError: one is not healthy.
        """
        self._build_what_is_missing(names)
        started = ("up", "--detach", "--no-recreate", "--no-build", "--wait", *names)
        self._run(*started, profiles=",".join(services))

    def execute(
        self, *arguments: str, source: IO[bytes] | None = None, target: IO[bytes] | None = None
    ) -> None:
        """Run a command of Compose with files as its standard input and output.

        Raises:
            DeploymentError: it failed.
        """
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            stdin=source or subprocess.DEVNULL,
            stdout=target or subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-_SAID:]
            msg = f"docker compose {' '.join(arguments[:8])} failed:\n{said}"
            raise DeploymentError(msg)

    def _build_what_is_missing(self, names: Sequence[str]) -> None:
        """Build only images that are missing, unlike `up`: a move does not change code."""
        services = json.loads(self._run("config", "--format", "json"))["services"]
        missing = {
            image
            for image in {services[name]["image"] for name in names}
            if not _engine_output("image", "inspect", image)
        }
        # One service builds an image that several have.
        builders = [
            name for name, each in services.items() if "build" in each and each["image"] in missing
        ]
        if builders:
            sys.stdout.write(f"Building missing images: {', '.join(builders)} ...\n")
            sys.stdout.flush()
            self._run("build", "--quiet", *builders)

    def _run(self, *arguments: str, profiles: str = _PROFILES) -> str:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(profiles),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            msg = f"docker compose {' '.join(arguments)} failed:\n{done.stderr.strip()[-_SAID:]}"
            raise DeploymentError(msg)
        return done.stdout


def find_project(environ: Mapping[str, str], *, stopped: bool = False) -> ComposeProject | None:
    """Find the running project of this folder, or the one in COMPOSE_PROJECT_NAME, by its gateway.

    With `stopped`, its containers may also be stopped.

    Raises:
        DeploymentError: there are several.
    """
    if shutil.which("docker") is None:
        return None
    name = environ.get("COMPOSE_PROJECT_NAME")
    label = f"project={name}" if name else f"project.working_dir={ROOT}"
    filters = [f"label={_COMPOSE}.{text}" for text in (label, "service=gateway")]
    states = ("--all",) if stopped else ()
    found = _engine_output(
        "ps", "--quiet", *states, *(f"--filter={text}" for text in filters)
    ).split()
    containers = json.loads(_engine_output("inspect", *found) or "[]") if found else []
    projects = [_project(container) for container in containers]
    if len(projects) > 1:
        names = ", ".join(sorted(project.name for project in projects))
        msg = (
            f"Several forums are running in containers from this folder: {names}."
            " Choose one with COMPOSE_PROJECT_NAME=…"
        )
        raise DeploymentError(msg)
    return projects[0] if projects else None


def _project(container: Mapping[str, Any]) -> ComposeProject:
    labels = container["Config"]["Labels"]
    environment = dict(line.split("=", 1) for line in container["Config"]["Env"])
    files = labels[f"{_COMPOSE}.project.config_files"].split(",")
    more = labels.get(f"{_COMPOSE}.project.environment_file", "")
    return ComposeProject(
        labels[f"{_COMPOSE}.project"],
        Path(labels[f"{_COMPOSE}.project.working_dir"]),
        # The services at its start are no longer relevant.
        tuple(file for file in files if not _is_written(Path(file))),
        tuple(filter(None, more.split(","))),
        stages.parse(environment["EXTRACTED"]),
    )


def _is_written(file: Path) -> bool:
    if file.name != OVERRIDE:
        return False
    return not file.exists() or file.read_text(encoding="utf-8").startswith(MARK)


def _engine_output(*arguments: str) -> str:
    """Return the output of an engine command; empty on failure or without an engine."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
