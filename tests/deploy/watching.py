"""Readers that send requests continuously during a deployment."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType

import requests

PAUSE_SECONDS = 0.1


class Readers:
    """Threads that read paths repeatedly; responses are counted by path, status and server."""

    def __init__(self, url: str, paths: Sequence[str]) -> None:
        self.answers: list[tuple[str, int, str]] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(f"{url}{path}", path)) for path in paths
        ]

    @property
    def failed(self) -> Counter[tuple[str, int, str]]:
        """Count the responses with a status other than 200."""
        return Counter(answer for answer in self.answers if answer[1] != 200)

    def servers(self, path: str) -> list[str]:
        """Return the sequence of servers of a path, without consecutive duplicates."""
        found: list[str] = []
        for asked, _, server in self.answers:
            if asked == path and (not found or found[-1] != server):
                found.append(server)
        return found

    def _read(self, url: str, path: str) -> None:
        # A connection per request: persistent ones would see less of a change.
        while not self._stop.is_set():
            try:
                answer = requests.get(url, timeout=30)
                outcome = (path, answer.status_code, answer.headers.get("X-Served-By", ""))
            except requests.RequestException as error:
                outcome = (path, 0, type(error).__name__)
            self.answers.append(outcome)
            time.sleep(PAUSE_SECONDS)

    def __enter__(self) -> "Readers":
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
