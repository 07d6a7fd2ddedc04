"""The status page: owners of domains, and the health of components."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from chassis.client.service_client import ServiceClient
from chassis.errors import Failure
from chassis.headers import SERVED_BY
from chassis.http.routing import add_routes, get
from chassis.messaging.status import KEYS as EVENT_STATUS_KEYS
from chassis.messaging.status import PATH as EVENTS
from forum.domains import NAMES
from forum.web.context import PageContext
from forum.web.pages.health_banner import ComponentHealth, describe_problems
from forum.web.rendering import render_page

TIMEOUT = 4.0
"""Timeout of all probes together in seconds; each probe has a shorter one."""


class StatusPage:
    """The status page, with its own thread pool.

    Not the pages' pool: requests for this page while a component hangs must not block other pages.
    """

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="status")

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("status", __name__)
        add_routes(blueprint, self)
        return blueprint

    @get("/status")
    def status(self) -> Response:
        """Show the health of all components, probed now and concurrently."""
        ownership = self._context.ownership()
        stage = [domain for domain in NAMES if domain in ownership.extracted]
        pending = {"monolith": self._submit(partial(self._check_monolith, stage))}
        pending |= {domain: self._submit(partial(self._probe, domain)) for domain in stage}
        components = [_result(name, future) for name, future in pending.items()]
        return render_page(
            "status.html",
            stage=stage,
            moving=[domain for domain in NAMES if domain in ownership.moving],
            components=components,
            troubles=describe_problems(components),
        )

    def _submit(self, check: Callable[[], ComponentHealth]) -> Future[ComponentHealth]:
        return self._pool.submit(copy_context().run, check)

    def _check_monolith(self, stage: list[str]) -> ComponentHealth:
        owns = tuple(domain for domain in NAMES if domain not in stage)
        # No events are exchanged while nothing is extracted.
        events = self._context.event_status() if stage else None
        return ComponentHealth("monolith", owns, self._context.served_by, events=events)

    def _probe(self, domain: str) -> ComponentHealth:
        client = self._context.probes[domain]
        try:
            ready = client.request("GET", "/readyz")
        except Failure as failure:
            return ComponentHealth(domain, (domain,), detail=failure.detail)
        served_by = ready.headers.get(SERVED_BY, "")
        return ComponentHealth(domain, (domain,), served_by, events=_event_status(client))


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


def _result(name: str, pending: Future[ComponentHealth]) -> ComponentHealth:
    try:
        return pending.result(TIMEOUT)
    except TimeoutError:
        return ComponentHealth(name, (name,), detail="The health check timed out.")
