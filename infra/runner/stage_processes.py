"""Processes of a stage: they start in order, and one that dies is restarted or ends the stage.

With RESTART=on, supervisord restarts a process that dies. It gives up on one that did not stay up
for a second in four attempts; `check` then starts it again, so that restarts continue.
"""

import http.client
import importlib.util
import time
from collections.abc import Callable, Mapping

from infra import ministack, stages
from infra.runner.config import BUS, BUS_RECOVERY, DATASTORE, GATEWAY, HOST, RunConfig
from infra.runner.process_specs import DEMO, MIGRATE, PROVISION
from infra.runner.supervisor import SUPERVISORD, ProcessFailedError, ProcessState, Supervisor

READY_SECONDS = 60
_CHECK_SECONDS = 0.2


class StageProcesses:
    """The processes of a stage, and those that should be running."""

    def __init__(
        self, config: RunConfig, supervisor: Supervisor, pause: Callable[[float], None]
    ) -> None:
        self._config, self._supervisor, self._pause = config, supervisor, pause
        self._up: set[str] = set()
        self._checked_at = 0.0

    def start(self) -> None:
        """Start everything; independent processes start concurrently."""
        services = self._config.services
        for datastore in self._config.datastores:
            self._begin(datastore)
        self._supervisor.start(MIGRATE)
        for service in services:
            self._begin(service)
        if services:
            self._until_answers(DATASTORE)
            self._until_answers(BUS)
            self._supervisor.start(PROVISION)
        self._until_done(MIGRATE)
        self._begin(stages.MONOLITH)
        if services:
            self._until_done(PROVISION)
        for component in self._config.components:
            self._until_answers(component)
        self._begin(GATEWAY)
        # No wait for the workers: earlier events wait in the outbox.
        for worker in self._config.workers:
            self._begin(worker)
        if services:
            self._begin(BUS_RECOVERY)
        self._until_answers(GATEWAY)

    def load_demo(self, say: Callable[[str], None]) -> None:
        """Load the demo content into a stage that does not have it yet."""
        marker = self._config.folder / "demo-loaded"
        wanted = self._config.demo and not marker.exists()
        if wanted and importlib.util.find_spec("infra.demo.load"):
            say("Loading the demo content ...")
            self._supervisor.start(DEMO)
            self._until_done(DEMO)
            marker.touch()

    def check(self, read_stage: Callable[[], RunConfig], say: Callable[[str], None]) -> RunConfig:
        """Follow the current stage, and restart a process that died, with RESTART=on.

        Return the configuration at the current stage: a move starts and stops processes.

        Raises:
            ProcessFailedError: a process died that is not restarted.
        """
        states = self._read_states()
        # Only now: a move records the stage before it stops a process, which has not died then.
        self._adopt(read_stage(), say)
        # A move starts some processes only after it has recorded the stage.
        self._up.update(name for name in self._config.processes if states[name].running)
        if not self._config.restart:
            self._raise_if_down(states)
            return self._config
        for name in self._supervisor.reap_replaced(states.values()):
            say(f"{name} was restarted.")
        for name in self._config.processes:
            if states[name].given_up:
                log = self._supervisor.log(name)
                say(f"{name} keeps failing ({log}); trying again.")
                self._supervisor.start(name)
        return self._config

    def _adopt(self, config: RunConfig, say: Callable[[str], None]) -> None:
        self._up &= set(config.processes)
        if config.extracted != self._config.extracted:
            say(f"The forum is now at stage {stages.stage_name(config.extracted)}.")
        self._config = config

    def _raise_if_down(self, states: Mapping[str, ProcessState]) -> None:
        # A move stops a worker, and records the new stage only after it has emptied its tables.
        self._up -= {name for name in self._up if states[name].stopped}
        for name in sorted(self._up):
            if not states[name].running:
                raise ProcessFailedError(name, states[name].failure or "ended")

    def _begin(self, part: str) -> None:
        self._supervisor.start(part)
        self._up.add(part)

    def _wait(self) -> None:
        self._pause(0.02)
        if time.monotonic() > self._checked_at + _CHECK_SECONDS:
            # During a start, a process that dies ends the stage, with RESTART=on too.
            self._raise_if_down(self._read_states())
            self._checked_at = time.monotonic()

    def _read_states(self) -> Mapping[str, ProcessState]:
        states = self._supervisor.states()
        if not self._supervisor.is_alive():
            raise ProcessFailedError(SUPERVISORD, "died; it supervised all other processes")
        return states

    def _until_done(self, task: str) -> None:
        while (state := self._supervisor.states()[task]).running:
            self._wait()
        if state.failure:
            raise ProcessFailedError(task, state.failure)

    def _until_answers(self, part: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready(self._config.ports[part], part):
            if time.monotonic() > deadline:
                message = f"was not ready within {READY_SECONDS} seconds"
                raise ProcessFailedError(part, message)
            self._wait()


_READY_PATHS = {DATASTORE: "/", BUS: ministack.READY_PATH, GATEWAY: "/healthz"}


def is_ready(port: int, part: str) -> bool:
    """Return whether a process passes its readiness check."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", _READY_PATHS.get(part, "/readyz"))
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
