"""Availability of each domain for its readers, while one component is overloaded or down."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

import requests

from bench import usage, wrk
from bench.scenarios import Scenarios
from bench.side import MONOLITH, Side
from chassis.clock import uuid7
from infra.api_document import session_cookie

SOON = 1.0
"""Seconds within which a response counts as successful."""
TIMEOUT = 3.0  # seconds until a reader's timeout
_READERS = 3  # per domain, each with at most ten requests a second
_PAUSE = 0.1
_FLOOD = 64  # connections that only sign in
# On AWS, each component's tasks have their own CPU share. Here all share two cores, so the flooded
# component gets a lower priority, which approximates that on one machine.
_BACK = 10

DOMAINS = ("users", "threads", "posts", "pages")


@dataclass(frozen=True)
class Seen:
    """A domain's availability in one case: successful responses in percent, p95 in milliseconds."""

    side: str
    case: str
    domain: str
    asked: int
    good: float
    p95: float


def measure(
    sides: Sequence[Side], scenarios: Scenarios, seconds: float, log: Callable[[str], None]
) -> list[Seen]:
    """Run each fault on each side, with the same readers."""
    seen = []
    for side in sides:
        for case, happening in _cases(side, scenarios):
            with happening(seconds):
                found = _Crowd(side.url, scenarios).watch(side.name, case, seconds)
            seen += found
            shown = ", ".join(f"{one.domain} {one.good:.0f} % {one.p95:.0f} ms" for one in found)
            log(f"{side.name:<8} {case:<18} {shown}")
            time.sleep(1)
    return seen


def _cases(side: Side, scenarios: Scenarios) -> list[tuple[str, Any]]:
    @contextmanager
    def calm(_: float) -> Iterator[None]:
        yield

    def flooded(seconds: float) -> Any:
        return _flood(side, scenarios, seconds)

    def dead(part: str) -> Any:
        @contextmanager
        def without(_: float) -> Iterator[None]:
            side.stack.stop_process(part)
            time.sleep(1)
            yield
            side.stack.start_process(part)

        return without

    cases: list[tuple[str, Any]] = [("all is well", calm), ("sign-ins flooded", flooded)]
    if side.name == MONOLITH:
        return [*cases, ("monolith dead", dead("monolith"))]
    return [*cases, *((f"{name} dead", dead(name)) for name in ("users", "threads", "posts"))]


@contextmanager
def _flood(side: Side, scenarios: Scenarios, seconds: float) -> Iterator[None]:
    """Flood the sign-in, which is pure CPU work."""
    sign_ins = next(one for one in scenarios.all() if one.name == "sign-in")
    owner = "monolith" if side.name == MONOLITH else "users"
    if side.name != MONOLITH:
        _stand_back(side.stack.pid(owner), _BACK)
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(wrk.run, side.url, sign_ins.requests, _FLOOD, seconds + 2)
        time.sleep(1)
        yield
        flood.result()
    groups = usage.leaders(side.stack, side.parts)
    usage.calm(groups, 20)
    if side.name != MONOLITH:
        # Only root may raise the priority again, so a new process is used.
        side.stack.stop_process(owner)
        side.stack.start_process(owner)


def _stand_back(group: int, by: int) -> None:
    with suppress(OSError):
        os.setpriority(os.PRIO_PGRP, group, by)


class _Crowd:
    """Readers and writers of every domain, at a steady rate."""

    def __init__(self, url: str, scenarios: Scenarios) -> None:
        self._url = url
        self._content = scenarios.content
        self._stop = threading.Event()
        self._took: dict[str, list[tuple[bool, float]]] = {domain: [] for domain in DOMAINS}
        self._token = scenarios.session(self._content.people[3])

    def watch(self, side: str, case: str, seconds: float) -> list[Seen]:
        """Send requests for some seconds, and return the results."""
        readers = [
            threading.Thread(target=self._read, args=(domain, number))
            for domain in DOMAINS
            for number in range(_READERS)
        ]
        for reader in readers:
            reader.start()
        time.sleep(seconds)
        self._stop.set()
        for reader in readers:
            reader.join()
        return [self._seen(side, case, domain) for domain in DOMAINS]

    def _seen(self, side: str, case: str, domain: str) -> Seen:
        took = self._took[domain]
        good = sum(fine and seconds <= SOON for fine, seconds in took)
        p95 = quantiles([seconds for _, seconds in took], n=20)[-1] if len(took) > 1 else TIMEOUT
        return Seen(side, case, domain, len(took), 100 * good / max(1, len(took)), 1000 * p95)

    def _read(self, domain: str, number: int) -> None:
        rng = random.Random(number)
        with requests.Session() as http:
            http.trust_env = False
            while not self._stop.is_set():
                began = time.monotonic()
                fine = False
                with suppress(requests.RequestException):
                    fine = self._ask(http, domain, rng).status_code < 500
                took = time.monotonic() - began
                self._took[domain].append((fine, took))
                self._stop.wait(max(0.0, _PAUSE - took))

    def _ask(self, http: requests.Session, domain: str, rng: random.Random) -> requests.Response:
        content = self._content
        topic = rng.choice(content.pages)
        if domain == "posts" and rng.random() < 0.3:
            small = rng.choice(content.topics[1 + content.size.pages :])
            return http.post(
                f"{self._url}/api/posts",
                json={"thread_id": small.id, "body": "Still here."},
                headers={"Authorization": f"Bearer {self._token}", "Idempotency-Key": uuid7()},
                timeout=TIMEOUT,
            )
        paths = {
            "users": (f"/api/users/{rng.choice(content.people).id}",),
            "threads": (f"/api/threads/{topic.id}", "/api/threads"),
            "posts": (f"/api/posts/in-thread/{topic.id}",),
            "pages": (f"/threads/{topic.id}", "/"),
        }
        # With a session, so that no cached page hides a failure.
        cookies = {session_cookie(self._url): self._token} if domain == "pages" else None
        path = rng.choice(paths[domain])
        return http.get(self._url + path, cookies=cookies, timeout=TIMEOUT)


def as_json(seen: Sequence[Seen]) -> list[dict[str, Any]]:
    """Return the results as JSON."""
    return [asdict(one) for one in seen]
