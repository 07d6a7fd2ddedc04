"""Requests from the extraction's container to the agent on the host.

Each request is a line of JSON on standard output, each response a line on standard input. So no
container needs the engine's socket, which would give it control of the machine.
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
    """Client of the agent, which starts and stops the forum's other containers."""

    def __init__(self, questions: int = 1, answers: int = 0) -> None:
        """Create a client on two file descriptors."""
        self._questions, self._source = questions, answers
        self._answers: Queue[dict[str, Any]] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def up(self, *containers: str) -> None:
        """Start containers that do not run; raise DeploymentError on failure."""
        self._ask(UP, containers)

    def down(self, *containers: str) -> None:
        """Stop and remove containers; raise DeploymentError on failure."""
        self._ask(DOWN, containers)

    def services(self, services: Iterable[str]) -> None:
        """Record the current services for the next `docker compose up`."""
        self._ask(SERVICES, services)

    def _ask(self, what: str, names: Iterable[str]) -> None:
        os.write(self._questions, f"{json.dumps({what: list(names)})}\n".encode())
        answer = self._answers.get()
        if error := answer.get(ERROR):
            raise DeploymentError(str(error))

    def _listen(self) -> None:
        # Not by sys.stdin, whose lock a waiting thread would still hold at exit.
        rest = b""
        while more := os.read(self._source, 4096):
            *lines, rest = (rest + more).split(b"\n")
            for line in lines:
                self._answers.put(json.loads(line))
        # The agent is gone: stop gracefully, as for Ctrl-C.
        os.kill(os.getpid(), signal.SIGINT)
