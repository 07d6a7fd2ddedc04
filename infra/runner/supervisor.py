"""The run's own supervisord and its programs."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Error, Fault

from infra.runner import supervisor_rpc
from infra.runner.config import ROOT
from infra.runner.process_specs import GROUPS, ProcessSpec, base_environment
from infra.runner.supervisord import configuration, log_file

STOP_SECONDS = sum(GROUPS.values()) + 0.5
_LONGEST_SOCKET = 90  # Out of the 104 bytes that macOS allows; supervisord appends its process id.

_RUNNING = {"STARTING", "RUNNING"}
_ENDING = {"STOPPING", "STOPPED"}
_SIGNALLED = -1  # supervisord's exit code for it
SUPERVISORD = "supervisord"
_UNREACHABLE = (OSError, HTTPException, Error)


class ProcessFailedError(Exception):
    """A process died or did not become ready; `part` is its name."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(f"{part} {message}")
        self.process = part


@dataclass(frozen=True)
class ProcessState:
    """The state of a program in supervisord.

    `stopped` means stopped on request, `given_up` that it did not stay up.
    """

    name: str
    running: bool
    pid: int
    exit_code: int
    error: str
    stopped: bool = False
    given_up: bool = False

    @property
    def failure(self) -> str:
        """Return how a program failed; empty for a regular end."""
        if self.error:
            return f"could not be started: {self.error}"
        if self.exit_code == _SIGNALLED:
            return "was killed by a signal"
        return f"ended with code {self.exit_code}" if self.exit_code else ""


class Supervisor:
    """Start, observe and stop programs through supervisord."""

    def __init__(self, folder: Path, logs: Path, programs: Iterable[ProcessSpec]) -> None:
        self._folder, self._logs = folder, logs
        self._programs = {program.name: program for program in programs}
        self._socket = _socket_in(folder)
        self._groups: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._api: Any = supervisor_rpc.proxy(self._socket).supervisor

    def spawn(self) -> int:
        """Start supervisord without any program; return its process id."""
        file = self._folder / supervisor_rpc.CONFIGURATION
        text = configuration(self._folder, self._socket, self._logs, self._programs.values())
        file.write_text(text, encoding="utf-8")
        self._socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "infra.runner.supervisord_process", "-n", "-c", str(file)]
        # In its own session: Ctrl-C reaches only the launcher, which stops the rest in order.
        with self.log(SUPERVISORD).open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=base_environment(),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self._process.pid

    def wait(self, pause: Callable[[float], None]) -> None:
        """Wait until supervisord accepts calls."""
        while not self._listens():
            if not self.is_alive():
                raise ProcessFailedError(SUPERVISORD, "ended immediately")
            pause(0.01)

    def start(self, name: str) -> None:
        """Start a program; `states` shows whether it stays up."""
        full_name = f"{self._programs[name].group}:{name}"
        # If a program could not be spawned, its state shows it.
        with contextlib.suppress(Fault):
            self._api.startProcess(full_name, False)
        # Recorded at once, in case supervisord itself dies.
        if pid := self._api.getProcessInfo(full_name)["pid"]:
            self._groups[name] = pid

    def states(self) -> dict[str, ProcessState]:
        """Return each program's state; none is running if supervisord itself has ended."""
        if not self.is_alive():
            return {name: ProcessState(name, False, 0, -1, "") for name in self._programs}
        states = {}
        for info in self._api.getAllProcessInfo():
            name, state = info["name"], info["statename"]
            # After a start, supervisord reports an unexpected exit code here again.
            error = "" if state == "EXITED" else info["spawnerr"]
            states[name] = ProcessState(
                name,
                running=state in _RUNNING,
                pid=info["pid"],
                exit_code=info["exitstatus"],
                error=error,
                stopped=state in _ENDING,
                given_up=state == "FATAL",
            )
        return states

    def reap_replaced(self, states: Iterable[ProcessState]) -> list[str]:
        """Return the programs with a new process id, and kill the remains of the old processes.

        A killed master leaves workers behind, which hold its port. A program that others started,
        such as a mover, is known from the first call on.
        """
        names = []
        for state in states:
            if not state.pid:
                continue
            before = self._groups.setdefault(state.name, state.pid)
            if state.pid != before:
                _kill_group(before)
                self._groups[state.name] = state.pid
                names.append(state.name)
        return names

    def is_alive(self) -> bool:
        """Return whether supervisord runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop every program, group by group, then supervisord; kill those that take too long."""
        if self._process is None:
            return
        deadline = time.monotonic() + STOP_SECONDS
        if self.is_alive():
            self._forget_ended()
            self._process.terminate()
        while self.is_alive() and time.monotonic() < deadline:
            # A call wakes supervisord, which otherwise checks only once a second for ended groups.
            self._listens()
            time.sleep(0.02)
        if self.is_alive():
            self._process.kill()
        self._process.wait()
        self._sweep()
        self._socket.unlink(missing_ok=True)
        if self._socket.parent != self._folder:
            self._socket.parent.rmdir()

    def log(self, name: str) -> Path:
        """Return the path of a program's log file."""
        return log_file(self._logs, name)

    def _listens(self) -> bool:
        try:
            self._api.getState()
        except _UNREACHABLE:
            return False
        return True

    def _forget_ended(self) -> None:
        """Forget programs that ended long ago, because their process ids may be reused."""
        try:
            states = self.states()
        except _UNREACHABLE:
            return
        self.reap_replaced(states.values())
        for name, state in states.items():
            if not state.running and not state.error and state.exit_code == 0:
                self._groups.pop(name, None)

    def _sweep(self) -> None:
        """Kill remaining processes of the programs' groups, such as workers without a master."""
        for pid in self._groups.values():
            _kill_group(pid)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _socket_in(folder: Path) -> Path:
    socket = folder / "supervisor.sock"
    if len(os.fsencode(socket)) <= _LONGEST_SOCKET:
        return socket
    return Path(tempfile.mkdtemp(prefix="forum-")) / "supervisor.sock"
