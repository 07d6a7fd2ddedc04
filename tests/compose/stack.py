"""Stages of the forum in containers, for suites that otherwise use the launcher."""

import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from infra import session_keys, stages
from infra.compose.stage_file import database_name
from infra.domains import package
from infra.runner.config import BUS, GATEWAY, PORTS, RunConfig
from infra.runner.free_port import free_port
from infra.runner.stack import dynamodb_client
from infra.runner.stage_processes import is_ready
from tests.compose import engine

FILES = ("-f", "compose.yaml", "-f", "tests/compose/published.yaml")
PART_SECONDS = 60
ATTEMPTS = 4


class Composed:
    """A stage in its own Compose project, on free ports, without demo content.

    It has the methods of `RunnerStack` that suites need. The images must be built.
    Leaving the block removes containers, networks and volumes, and asserts that none remains.
    """

    def __init__(
        self,
        extracted: frozenset[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
        *,
        restart: bool = True,
        files: tuple[str, ...] = FILES,
    ) -> None:
        """Create a stage; `restart` is ignored, because containers always restart."""
        ports = {part: free_port() for part in PORTS}
        self.config = RunConfig(extracted, ports, directory, demo=False, restart=restart)
        self.project = f"forum-test-{secrets.token_hex(4)}"
        self.files = files
        self.environment = {
            **os.environ,
            "EXTRACTED": stages.as_setting(extracted),
            "DEMO": "off",
            # Pages of different stages are compared.
            "SPLIT_BADGE": "off",
            **{PORTS[part][0]: str(port) for part, port in ports.items()},
            **(environment or {}),
        }

    @property
    def base_url(self) -> str:
        """The gateway's address."""
        return self.config.url(GATEWAY)

    @property
    def urls(self) -> Mapping[str, str]:
        """Each component's own address, past the gateway."""
        return {component: self.config.url(component) for component in self.config.components}

    def dynamodb(self) -> Any:
        """Return a client of the services' tables."""
        return dynamodb_client(self.config)

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run `docker compose` for this project; return its output."""
        done = engine.run(
            "compose", "-p", self.project, *self.files, *arguments, environment=self.environment
        )
        assert done.returncode == 0 or not check, f"{arguments}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def insist(self, *arguments: str) -> None:
        """Run `docker compose` for this project, with retries."""
        for _ in range(ATTEMPTS - 1):
            with suppress(AssertionError):
                self.compose(*arguments)
                return
            time.sleep(1)
        self.compose(*arguments)

    def start(self) -> "Composed":
        """Start the stage, and wait until it is ready."""
        try:
            self.compose("up", "--wait", "--no-build", "--quiet-pull")
            self.copy_keys()
        except BaseException:
            self._remember()
            self.stop()
            raise
        return self

    def stop(self) -> int:
        """Remove the stage, and assert that nothing remains."""
        down = ("--profile", "*", "down", "--volumes", "--remove-orphans")
        # The engine may still be starting a container again that has just crashed, which then
        # appears behind Compose's back.
        self.insist(*down)
        left = engine.left_of(self.project)
        assert not left, f"still there: {left}"
        return 0

    def copy_keys(self) -> None:
        """Copy the keys to the launcher's folder."""
        self.config.secrets_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = f"/keys/{stages.stage_name(self.config.data_stage)}"
        for name in (session_keys.PRIVATE, session_keys.PUBLIC, session_keys.SECRET):
            volume = f"{self.project}_keys:/keys:ro"
            text = engine.docker(
                "run", "--rm", "-v", volume, "forum-tools", "cat", f"{keys}/{name}"
            )
            (self.config.secrets_folder / name).write_text(text, encoding="utf-8")

    def log(self, part: str) -> str:
        """Return a container's log."""
        return self.compose("logs", "--no-log-prefix", "--no-color", part)

    def output_text(self) -> str:
        """Return the states of the containers."""
        return self.compose("ps", "-a", "--format", "{{.Name}}: {{.Status}}", check=False)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Read from the monolith's database."""
        name = database_name(self.config.data_stage)
        asked = f"SELECT coalesce(json_agg(found), '[]') FROM ({sql}) AS found"
        read = f'PGPASSWORD="$(cat /secrets/database_password)" psql -U forum -d {name} -At -c "$0"'
        rows = json.loads(self.compose("exec", "-T", "postgres", "sh", "-c", read, asked))
        return [tuple(row.values()) for row in rows]

    def containers(self, part: str) -> list[str]:
        """Return the containers of a service, including stopped ones."""
        return self.compose("ps", "-a", "-q", part).split()

    def inspect(self, part: str) -> dict[str, Any]:
        """Return the engine's description of a service's first container."""
        found: list[dict[str, Any]] = json.loads(
            engine.docker("inspect", *self.containers(part)[:1])
        )
        return found[0]

    def pid(self, part: str) -> int:
        """Return the id of a service's main process on the engine's machine."""
        return int(self.inspect(part)["State"]["Pid"])

    def kill(self, part: str) -> None:
        """Crash a container: unlike after `docker kill`, the engine restarts it."""
        engine.as_root_of_the_machine(f"kill -9 {self.pid(part)}")

    # The end of a container's main process ends all others.
    kill_group = kill

    def pause(self, part: str) -> None:
        """Suspend a container until `resume`; its connections stay open."""
        # Freezing may fail on a busy machine.
        self.insist("pause", part)

    def resume(self, part: str) -> None:
        """Resume a suspended container."""
        self.compose("unpause", part)

    def stop_process(self, part: str) -> None:
        """Stop a container gracefully, and keep it down."""
        self.compose("stop", part)

    def start_process(self, part: str) -> None:
        """Start a stopped container, and wait until it is ready."""
        self.compose("start", part)
        self.wait_for(part)

    def wait_for(self, part: str) -> None:
        """Wait until a container is ready; a worker, until it reports so."""
        if part == BUS:
            self.until(self._bus_is_complete, "the bus has its queues again")
        elif part in self.config.ports:
            port = self.config.ports[part]
            self.until(lambda: is_ready(port, part), f"{part} answers")
        else:
            self.until(lambda: self._health(part) == "healthy", f"{part} is healthy")

    def moderator(self, username: str) -> None:
        """Make a user a moderator."""
        owner = self.config.owner("users")
        self.compose("exec", "-T", owner, "python", "-m", package(owner), "moderator", username)

    def until(self, done: Callable[[], bool], what: str, seconds: float = PART_SECONDS) -> None:
        """Wait for a state."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                msg = f"waited {seconds} seconds until {what}:\n{self.output_text()}"
                raise AssertionError(msg)
            time.sleep(0.1)

    def _health(self, part: str) -> str:
        return str(self.inspect(part)["State"].get("Health", {}).get("Status"))

    def _bus_is_complete(self) -> bool:
        queue = f"{self.config.url(BUS)}/?Action=GetQueueUrl&QueueName=forum-complete"
        # The emulator refuses what no AWS client has signed; it does not verify the signature.
        return engine.status_of(queue, {"Authorization": "AWS4-HMAC-SHA256"}) == 200

    def _remember(self) -> None:
        """Store the logs of containers before they are removed."""
        self.config.var.mkdir(parents=True, exist_ok=True)
        logs = self.output_text() + self.compose("logs", "--no-color", check=False)
        (self.config.var / "compose.log").write_text(logs, encoding="utf-8")
        sys.stderr.write(logs[-20_000:])

    def __enter__(self) -> "Composed":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._remember()
        self.stop()
