"""Health checks of all components, shared by the requests that ask for them."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

from chassis.client.service_client import ServiceClient
from chassis.errors import Failure
from chassis.headers import SERVED_BY
from chassis.messaging.status import KEYS as EVENT_STATUS_KEYS
from chassis.messaging.status import PATH as EVENTS
from forum.domains import NAMES
from forum.web.pages.health_banner import ComponentHealth

TIMEOUT = 4.0
"""Timeout of all probes together in seconds; each probe has a shorter one."""
MAX_AGE_SECONDS = 1.0
"""Maximum age of a shared result, unless a newer one is being made."""

Stage = tuple[str, ...]
"""The extracted domains."""


@dataclass(frozen=True)
class _Result:
    stage: Stage
    ended: float
    components: list[ComponentHealth]


class HealthChecks:
    """The health checks of one process, one round at a time.

    A round asks every component and, on AWS, queues that bill each question. A component that hangs
    makes it last for seconds, in which further requests get the result of the round before.

    They have a thread pool of their own: requests for health while a component hangs must not
    block other pages. `served_by` and `event_status` are the monolith's, `probes` the clients of
    the services.
    """

    def __init__(
        self,
        served_by: str,
        event_status: Callable[[], Mapping[str, Any]],
        probes: Mapping[str, ServiceClient],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._served_by = served_by
        self._event_status = event_status
        self._probes = probes
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="health")
        self._round = threading.Lock()
        self._last: _Result | None = None

    def read(self, stage: Stage) -> list[ComponentHealth]:
        """Return the health of all components at a stage."""
        if fresh := self._known(stage, MAX_AGE_SECONDS):
            return fresh.components
        recent = self._known(stage, MAX_AGE_SECONDS + TIMEOUT)
        if recent is None:
            self._round.acquire()
        elif not self._round.acquire(blocking=False):
            return recent.components
        try:
            return (self._known(stage, MAX_AGE_SECONDS) or self._check(stage)).components
        finally:
            self._round.release()

    def _known(self, stage: Stage, max_age: float) -> _Result | None:
        last = self._last
        usable = last and last.stage == stage and self._clock() - last.ended < max_age
        return last if usable else None

    def _check(self, stage: Stage) -> _Result:
        pending = {"monolith": self._submit(partial(self._check_monolith, stage))}
        pending |= {domain: self._submit(partial(self._probe, domain)) for domain in stage}
        ends_at = time.monotonic() + TIMEOUT
        components = [_result(name, future, ends_at) for name, future in pending.items()]
        self._last = _Result(stage, self._clock(), components)
        return self._last

    def _submit(self, check: Callable[[], ComponentHealth]) -> Future[ComponentHealth]:
        return self._pool.submit(copy_context().run, check)

    def _check_monolith(self, stage: Stage) -> ComponentHealth:
        owns = tuple(domain for domain in NAMES if domain not in stage)
        # No events are exchanged while nothing is extracted.
        events = self._event_status() if stage else None
        return ComponentHealth("monolith", owns, self._served_by, events=events)

    def _probe(self, domain: str) -> ComponentHealth:
        client = self._probes[domain]
        try:
            ready = client.request("GET", "/readyz")
        except Failure as failure:
            return ComponentHealth(domain, (domain,), detail=failure.detail)
        served_by = ready.headers.get(SERVED_BY, "")
        return ComponentHealth(
            domain,
            (domain,),
            served_by,
            events=_event_status(client),
            clock_skew_seconds=client.clock_skew_seconds,
        )


def _event_status(client: ServiceClient) -> Mapping[str, Any]:
    """Return a service's event status; empty on failure, which alone is no outage.

    While a deployment rolls, a service of another revision may report other keys.
    """
    try:
        status = client.request("GET", EVENTS).body
    except Failure:
        return {}
    complete = isinstance(status, Mapping) and status.keys() >= EVENT_STATUS_KEYS
    return status if complete else {}


def _result(name: str, pending: Future[ComponentHealth], ends_at: float) -> ComponentHealth:
    try:
        return pending.result(max(0.0, ends_at - time.monotonic()))
    except TimeoutError:
        return ComponentHealth(name, (name,), detail="The health check timed out.")
