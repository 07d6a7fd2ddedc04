"""The mover, interrupted: `python -m tests.extraction.interrupted_mover STEP SIGNAL extract users`.

It ends after its STEPth change of something outside the process: a program started or stopped, a
file, a table, a queue, or a row. It prints the step, so that a test knows where it was.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from chassis.ownership.state import OwnershipStore
from extraction.__main__ import main
from extraction.deployment.local import LocalDeployment
from extraction.endpoints import Endpoints
from extraction.gateway_probe import GatewayProbe
from forum.ownership.transitions import OwnershipTransitions
from infra import local_environment, provisioning

STEPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (LocalDeployment, ("_call", "_note")),
    (provisioning, ("provision_tables", "provision_queues", "drop_subscription")),
    (GatewayProbe, ("wait_until_routed",)),
    (OwnershipStore, ("save",)),
    (Endpoints, ("clear_service_tables",)),
    (
        OwnershipTransitions,
        (
            *("begin_move", "record_progress", "freeze_writes", "unfreeze_writes"),
            *("change_owner", "discard_changes", "finish_move"),
        ),
    ),
)


class Interruption:
    """A signal to this process after a number of steps."""

    def __init__(self, step: int, number: int) -> None:
        self._left, self._number = step, number

    def install(self) -> None:
        """Count the steps from now on."""
        for owner, names in STEPS:
            for name in names:
                setattr(owner, name, self._counted(name, getattr(owner, name)))

    def _counted(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            result = step(*arguments, **options)
            if name == "_call" and isinstance(result, list):
                return result  # it only reads what runs
            if name == "provision_tables":
                result = list(result)
            self._left -= 1
            if self._left == 0:
                sys.stdout.write(f"interrupted after {name}\n")
                sys.stdout.flush()
                os.kill(os.getpid(), self._number)
            return result

        return counted


if __name__ == "__main__":
    # As in a terminal, also where a shell in the background has these tests ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    local_environment.isolate()
    Interruption(int(sys.argv[1]), getattr(signal, sys.argv[2])).install()
    sys.exit(main(sys.argv[3:]))
