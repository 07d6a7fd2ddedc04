"""A forum in containers whose domains move, started by plain `docker compose` in a folder."""

import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import requests

from infra import stages
from infra.runner.config import ROOT
from tests.compose import engine
from tests.compose.stack import Composed
from tests.faults.conftest import GENEROUS

FILES = ("compose.yaml", "tests/compose/published.yaml")
ALONE = {"gateway", "monolith", "postgres", "setup", "migrate", "demo"}
SHARED = {"dynamodb", "bus", "bus-recovery", "monolith-worker"}
"""Services of the monolith alone, and those that all services share."""


class Movable(Composed):
    """A forum that started as the monolith alone, by plain `docker compose` in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(frozenset(), folder / "var", GENEROUS, files=())
        self.folder = folder
        # One file only, so that Compose finds the override file itself.
        files = (part for name in FILES for part in ("-f", str(ROOT / name)))
        asked = ("--profile", "*", "config", "--no-interpolate")
        configuration = engine.docker("compose", "-p", self.project, *files, *asked)
        (folder / "compose.yaml").write_text(configuration, encoding="utf-8")
        shutil.copy(ROOT / ".env", folder)
        self.environment |= {"COMPOSE_PROJECT_NAME": self.project, "PLACE": "compose"}

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run `docker compose` in the folder; return its output."""
        done = self._run("docker", "compose", *arguments)
        assert done.returncode == 0 or not check, f"{arguments}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def make(self, what: str, *options: str) -> str:
        """Run `make extract`, `make reintegrate` or `make status`; return what it prints."""
        done = self._run(sys.executable, "-m", "extraction", what, *options, folder=ROOT)
        assert done.returncode == 0, f"{what} {options}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def now(self, *extracted: str) -> None:
        """Read the forum's current stage."""
        self.config = replace(
            self.config, extracted=frozenset(extracted), initial_stage=frozenset()
        )

    def running(self) -> set[str]:
        """Return the services that run or have run."""
        return set(self.compose("--profile", "*", "ps", "-a", "--services").split())

    def owners(self) -> dict[str, str]:
        """Return the component that serves each domain."""
        found = {}
        for domain in stages.DOMAINS:
            with suppress(requests.RequestException, KeyError):
                answer = requests.get(f"{self.base_url}/api/{domain}/openapi.json", timeout=20)
                found[domain] = answer.headers["X-Served-By"].split("/")[0]
        return found

    def _run(self, *command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=folder or self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
