"""A complete stage of the forum in its own folder, for tests and benchmarks."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from infra.runner import supervisor_rpc
from infra.runner.config import (
    BUS_RECOVERY,
    DATASTORE,
    GATEWAY,
    HOST,
    PORTS,
    ROOT,
    SQLITE_FILE,
    RunConfig,
)
from infra.runner.free_port import free_port
from infra.runner.stage_processes import is_ready

START_SECONDS, STOP_SECONDS, PART_SECONDS = 90, 20, 30
LAUNCHER = (sys.executable, "-m", "infra.runner")
CONTROL = (sys.executable, "-m", "infra.runner.control")


class StackError(Exception):
    """The stage did not start or stop correctly; the message has the details."""


class RunnerStack:
    """A stage that runs in its own folder, on free ports, without demo content.

    `environment` overrides the launcher's environment, such as `SIGN_IN_LIMIT_PER_NAME`. With
    `restart`, processes that die are restarted, and single ones can be stopped; without it, the
    stage ends. A process is `gateway`, a component, its worker (`posts-worker`), `dynamodb` or
    `bus`. The same folder can be started again, with its data and ports. Leaving the block stops
    everything and checks that no process remains.
    """

    def __init__(
        self,
        extracted: frozenset[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
        command: tuple[str, ...] = LAUNCHER,
        *,
        restart: bool = False,
    ) -> None:
        ports = {part: free_port() for part in PORTS}
        self.config = RunConfig(extracted, ports, directory, demo=False, restart=restart)
        self.output = directory / "launcher.log"
        self._command = command
        self.environment = {
            **os.environ,
            "EXTRACTED": ",".join(extracted),
            "VAR_DIR": str(directory),
            "DEMO": "off",
            # There are too few ports that browsers block for several stages at once.
            "OPEN_PORTS": "on",
            # Pages of different stages are compared.
            "SPLIT_BADGE": "off",
            "RESTART": "on" if restart else "off",
            **{PORTS[part][0]: str(port) for part, port in ports.items()},
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        """The gateway's address."""
        return self.config.url(GATEWAY)

    @property
    def urls(self) -> Mapping[str, str]:
        """Each component's own address, past the gateway."""
        return {component: self.config.url(component) for component in self.config.components}

    def log(self, part: str) -> str:
        """Return the log of a process."""
        return (self.config.log_folder / f"{part}.log").read_text(encoding="utf-8")

    def output_text(self) -> str:
        """The launcher's output."""
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Read from the monolith's database."""
        file = self.config.folder / SQLITE_FILE
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return database.execute(sql).fetchall()

    def dynamodb(self) -> Any:
        """Return a client of the services' tables, past any proxy."""
        return dynamodb_client(self.config)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the launcher, without waiting."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    def start(self) -> "RunnerStack":
        """Start the stage, and wait until it is ready."""
        process = self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while "The forum is ready" not in self.output_text():
            if process.poll() is not None or time.monotonic() > deadline:
                output = self.output_text()
                self.stop()
                msg = f"the forum did not get ready:\n{output}"
                raise StackError(msg)
            time.sleep(0.05)
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop the stage, check that no process remains, and return the exit code."""
        process = self.process
        if process is None:
            message = "the stage was never started"
            raise StackError(message)
        if process.poll() is None:
            process.send_signal(number)
        try:
            code = process.wait(STOP_SECONDS)
        finally:
            left = self.wait_until_gone()
            kill(left)
        if left:
            message = f"still running: {left}"
            raise StackError(message)
        return code

    def pid(self, part: str) -> int:
        """Return the id of a process (of the master if it has workers); 0 if it is down."""
        with self._supervisor() as api:
            return int(_info(api, part)["pid"])

    def kill(self, part: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a process (to the master if it has workers)."""
        os.kill(self._running(part), number)

    def kill_group(self, part: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a process and its workers at once."""
        os.killpg(self._running(part), number)

    def pause(self, part: str) -> None:
        """Suspend a process until `resume`; its connections stay open."""
        self.kill_group(part, signal.SIGSTOP)

    def resume(self, part: str) -> None:
        """Resume a suspended process."""
        self.kill_group(part, signal.SIGCONT)

    def stop_process(self, part: str) -> None:
        """Stop a process gracefully and keep it down."""
        with self._supervisor() as api:
            api.stopProcess(_full_name(api, part), False)
            self._until(lambda: int(_info(api, part)["pid"]) == 0, f"{part} stops")

    def start_process(self, part: str) -> None:
        """Start a stopped process, and wait until it is ready."""
        with self._supervisor() as api:
            api.startProcess(_full_name(api, part), False)
        self.wait_for(part)

    def wait_for(self, part: str) -> None:
        """Wait until a process is ready; a worker, until it runs."""
        if part in self.config.ports:
            port = self.config.ports[part]
            self._until(lambda: is_ready(port, part), f"{part} answers")
        else:
            self._until(lambda: self.pid(part) > 0, f"{part} runs")

    def recoveries(self) -> int:
        """Return the number of bus recoveries so far."""
        return self.log(BUS_RECOVERY).count("bus recovered")

    def wait_until_recovered(self, before: int) -> None:
        """Wait for another bus recovery after the `before` earlier ones."""
        self._until(lambda: self.recoveries() > before, "the bus is recovered")

    def control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command like `make`: `stop`, `moderator NAME`, `replay SINCE=1h`."""
        return subprocess.run(
            [*CONTROL, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def moderator(self, username: str) -> None:
        """Make a user a moderator."""
        done = self.control("moderator", username)
        if done.returncode:
            raise StackError(done.stderr)

    def wait_until_gone(self, seconds: float = 5) -> dict[int, str]:
        """Wait until no process of the stage runs; return those that remain after the timeout."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def processes(self) -> dict[int, str]:
        """Return every process of this stage: its id and command line. Reads Linux's /proc."""
        mark = os.fsencode(self.config.var)
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
                description = command + (folder / "environ").read_bytes()
            except OSError:
                continue
            if mark in description:
                found[int(folder.name)] = command.replace(b"\0", b" ").decode()
        found.pop(os.getpid(), None)
        return found

    def _running(self, part: str) -> int:
        """Return the id of a running process; a signal to 0 would be sent to this one."""
        self._until(lambda: self.pid(part) > 0, f"{part} runs")
        return self.pid(part)

    @contextmanager
    def _supervisor(self) -> Iterator[Any]:
        with supervisor_rpc.configured_proxy(self.config.run_folder) as server:
            yield server.supervisor

    def _until(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PART_SECONDS
        while not done():
            if time.monotonic() > deadline:
                msg = f"waited {PART_SECONDS} seconds until {what}:\n{self.output_text()}"
                raise StackError(msg)
            time.sleep(0.02)

    def __enter__(self) -> "RunnerStack":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None:
            self.stop()


def _info(api: Any, part: str) -> Any:
    return next(info for info in api.getAllProcessInfo() if info["name"] == part)


def _full_name(api: Any, part: str) -> str:
    return f"{_info(api, part)['group']}:{part}"


def kill(processes: Mapping[int, str]) -> None:
    """Kill remaining processes."""
    for pid in processes:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def listens(port: int) -> bool:
    """Return whether a port accepts connections."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def dynamodb_client(config: RunConfig) -> Any:
    """Return a client of the datastore at its own port."""
    import boto3  # noqa: PLC0415 - slow, and the labs begin with this module

    session = boto3.Session("local", "local", region_name="eu-central-1")
    return session.client("dynamodb", endpoint_url=config.url(DATASTORE))
