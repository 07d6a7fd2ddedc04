"""Readers that send requests continuously during a deployment."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

import requests

PAUSE_SECONDS = 0.1


class Answer(NamedTuple):
    """A response: its server from X-Served-By, and the moment at which it was asked for."""

    path: str
    status: int
    server: str
    moment: float


class Watcher:
    """Threads that run until the end of the block; each ends once `_stop` is set."""

    def __init__(self, *targets: Callable[[], None]) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=target) for target in targets]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Readers(Watcher):
    """Threads that read paths repeatedly; responses are counted by path, status and server."""

    def __init__(self, url: str, paths: Sequence[str], *, persistent: bool = False) -> None:
        """Read each path in a thread; `persistent` keeps the thread's connection open.

        Other connections see more of a change. The engine's proxy of a published port keeps each
        of them for a while, and ends when it has thousands.
        """
        super().__init__(*(partial(self._read, f"{url}{path}", path) for path in paths))
        self.answers: list[Answer] = []
        self._persistent = persistent

    @property
    def failed(self) -> Counter[tuple[str, int, str]]:
        """Count the responses with a status other than 200."""
        return Counter(answer[:3] for answer in self.answers if answer.status != 200)

    def servers(self, path: str) -> list[str]:
        """Return the sequence of servers of a path, without consecutive duplicates."""
        found: list[str] = []
        for answer in self.answers:
            if answer.path == path and (not found or found[-1] != answer.server):
                found.append(answer.server)
        return found

    def _read(self, url: str, path: str) -> None:
        session = requests.Session()
        while not self._stop.is_set():
            moment = time.monotonic()
            try:
                answer = session.get(url, timeout=30)
                server = answer.headers.get("X-Served-By", "")
                outcome = Answer(path, answer.status_code, server, moment)
            except requests.RequestException as error:
                outcome = Answer(path, 0, type(error).__name__, moment)
            self.answers.append(outcome)
            if not self._persistent:
                session.close()
            time.sleep(PAUSE_SECONDS)
        session.close()
