"""Bring a stage up in order, and notice when a part of it dies."""

import http.client
import importlib.util
import time
from collections.abc import Callable

from infra import ministack, stages
from infra.runner.bus_recovery import BusRecovery
from infra.runner.config import BUS, DATASTORE, GATEWAY, HOST, RunConfig
from infra.runner.process_specs import DEMO, MIGRATE, PROVISION, replay_process_name
from infra.runner.supervisor import SUPERVISORD, ProcessFailedError, Supervisor

READY_SECONDS = 60
_LOOK_SECONDS = 0.2


class Startup:
    """The programs of a stage, and which of them are up."""

    def __init__(
        self,
        config: RunConfig,
        runner: Supervisor,
        lost: BusRecovery,
        pause: Callable[[float], None],
    ) -> None:
        self._config, self._runner, self._lost, self._pause = config, runner, lost, pause
        self._up: set[str] = set()
        self._looked = 0.0

    def start(self) -> None:
        """Start everything; parts that don't need each other start side by side."""
        services = self._config.services
        for datastore in self._config.datastores:
            self._begin(datastore)
        self._runner.start(MIGRATE)
        for service in services:
            self._begin(service)
        if services:
            self._until_answers(DATASTORE)
            self._until_answers(BUS)
            self._runner.start(PROVISION)
        self._until_done(MIGRATE)
        self._begin(stages.MONOLITH)
        if services:
            self._until_done(PROVISION)
        for component in self._config.components:
            self._until_answers(component)
        self._begin(GATEWAY)
        if services:
            self._lost.mark_running()
        # Nobody waits for a worker: what is written meanwhile waits for it in the outbox.
        for worker in self._config.workers:
            self._begin(worker)
        self._until_answers(GATEWAY)

    def republish_lost_events(self, say: Callable[[str], None]) -> None:
        """Have all components publish once more what may have been lost, if anything."""
        if (since := self._lost.since) is None:
            return
        moment = f"{since:%Y-%m-%d %H:%M} UTC"
        say(f"The bus did not stop in order; publishing again what was recorded since {moment} ...")
        tasks = [replay_process_name(component) for component in self._config.components]
        for task in tasks:
            self._runner.start(task)
        for task in tasks:
            self._until_done(task)
        self._lost.mark_republished()

    def load_demo(self, say: Callable[[str], None]) -> None:
        """Load the demo content into a stage that never had it."""
        marker = self._config.folder / "demo-loaded"
        wanted = self._config.demo and not marker.exists()
        if wanted and importlib.util.find_spec("infra.demo.load"):
            say("Loading the demo content ...")
            self._runner.start(DEMO)
            self._until_done(DEMO)
            marker.touch()

    def adopt(self, config: RunConfig, say: Callable[[str], None]) -> None:
        """Look after the parts of another stage, which were started or are about to stop."""
        if not self._config.datastores and config.datastores:
            self._lost.mark_running()
        wanted, states = {*config.servers, *config.workers}, self._runner.states()
        # A worker is started later than its service, when there is something for it to do.
        self._up = {name for name in wanted if name in self._up or states[name].running}
        if config.extracted != self._config.extracted:
            say(f"The forum is at stage {stages.stage_name(config.extracted)} now.")
        self._config = config

    def check_processes(self) -> None:
        """Raise PartFailedError if a part that was started does not run any more."""
        states = self._runner.states()
        if not self._runner.is_alive():
            raise ProcessFailedError(SUPERVISORD, "died, and with it the control of all others")
        for name in sorted(self._up):
            state = states[name]
            if not state.running:
                raise ProcessFailedError(name, state.failure or "ended")

    def _begin(self, part: str) -> None:
        self._runner.start(part)
        self._up.add(part)

    def _wait(self) -> None:
        self._pause(0.02)
        if time.monotonic() > self._looked + _LOOK_SECONDS:
            self.check_processes()
            self._looked = time.monotonic()

    def _until_done(self, task: str) -> None:
        while (state := self._runner.states()[task]).running:
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
    """Tell whether a part can do its work."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", _READY_PATHS.get(part, "/readyz"))
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
