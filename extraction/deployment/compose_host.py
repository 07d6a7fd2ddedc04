"""Asks whoever has started this container for what can only be done from outside.

Each question is a line of JSON on standard output, each answer a line on standard input. So no
container needs the engine's socket, which would make it the machine's master.
"""

import json
import os
import signal
import threading
from collections.abc import Iterable
from queue import Queue
from typing import Any

from extraction.deployment.port import DeploymentError

UP, DOWN, SERVICES, ERROR = "up", "down", "services", "error"


class ComposeHost:
    """Starts and stops the forum's other containers."""

    def __init__(self, questions: int = 1, answers: int = 0) -> None:
        """Take two file descriptors."""
        self._questions, self._source = questions, answers
        self._answers: Queue[dict[str, Any]] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def up(self, *containers: str) -> None:
        """Have containers started, if they do not run; raise PlaceError."""
        self._ask(UP, containers)

    def down(self, *containers: str) -> None:
        """Have containers stopped and removed; raise PlaceError."""
        self._ask(DOWN, containers)

    def services(self, services: Iterable[str]) -> None:
        """Have it remembered which services run from now on, for the next `docker compose up`."""
        self._ask(SERVICES, services)

    def _ask(self, what: str, names: Iterable[str]) -> None:
        os.write(self._questions, f"{json.dumps({what: list(names)})}\n".encode())
        answer = self._answers.get()
        if error := answer.get(ERROR):
            raise DeploymentError(str(error))

    def _listen(self) -> None:
        # Not by sys.stdin, whose lock a thread that waits would still hold at the end.
        rest = b""
        while more := os.read(self._source, 4096):
            *lines, rest = (rest + more).split(b"\n")
            for line in lines:
                self._answers.put(json.loads(line))
        # Nobody is there any more: stop as for Ctrl-C, in order.
        os.kill(os.getpid(), signal.SIGINT)
