"""Keep a stage running: RESTART=on.

supervisord starts again what dies. What did not stay up for a second it tries three more times,
each after a longer pause; then it is our turn, so that this goes on at the same pace.
"""

from collections.abc import Callable

from chassis.clock import format_timestamp
from infra.runner.bus_recovery import BusRecovery
from infra.runner.config import BUS, RunConfig
from infra.runner.process_specs import PROVISION
from infra.runner.startup import is_ready
from infra.runner.supervisor import SUPERVISORD, ProcessFailedError, Supervisor


class Restarter:
    """Looks after a stage that has started."""

    def __init__(
        self,
        config: RunConfig,
        runner: Supervisor,
        lost: BusRecovery,
        pause: Callable[[float], None],
    ) -> None:
        self._config, self._runner, self._lost, self._pause = config, runner, lost, pause
        self._parts = sorted([*config.servers, *config.workers])
        self._bus_is_new = False

    def adopt(self, config: RunConfig) -> None:
        """Look after the parts of another stage."""
        self._config = config
        self._parts = sorted([*config.servers, *config.workers])

    def check_processes(self, say: Callable[[str], None]) -> None:
        """Help whatever died; raise PartFailedError if nothing can."""
        states = self._runner.states()
        if not self._runner.is_alive():
            raise ProcessFailedError(SUPERVISORD, "died, and with it the control of all others")
        for part in self._runner.reap_replaced(states.values()):
            say(f"{part} was started again.")
            if part == BUS:
                self._lost.mark_died()
                self._bus_is_new = True
        for part in self._parts:
            if states[part].given_up:
                say(f"{part} does not stay up ({self._runner.log(part)}); trying again.")
                self._runner.start(part)
        if self._bus_is_new and is_ready(self._config.ports[BUS], BUS) and self._provision():
            self._bus_is_new = False
            if since := self._lost.since:
                say(
                    "The bus has its topic and queues again. Messages that it held may be lost;"
                    f" `make replay SINCE={format_timestamp(since)}` publishes them again,"
                    " the next run too."
                )

    def _provision(self) -> bool:
        """Make the topic and the queues; answers whether they are there."""
        self._runner.start(PROVISION)
        while (state := self._runner.states()[PROVISION]).running:
            self._pause(0.05)
        return not state.failure
