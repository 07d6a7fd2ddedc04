"""The page that shows which component answers for what, and how far their events are."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from chassis.client.service_client import ServiceClient
from chassis.errors import Failure
from chassis.messaging.status import PATH as EVENTS
from forum.web.context import PageContext
from forum.web.pages.health_banner import ComponentHealth, describe_problems
from forum.web.rendering import render_page

DOMAINS = ("users", "threads", "posts")
PATIENCE = 4.0
"""So many seconds the page waits for all answers; each probe ends by itself before that."""


def blueprint(site: PageContext) -> Blueprint:
    """Make the blueprint of the status page."""
    bp = Blueprint("status", __name__)
    # Not the pages' own pool: who asks for this while a part hangs must not stop other pages.
    pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="status")

    def aside(question: Callable[[], ComponentHealth]) -> Future[ComponentHealth]:
        return pool.submit(copy_context().run, question)

    @bp.get("/status")
    def status() -> Response:
        """Show how all components are, asked just now and all at once."""
        stage = [domain for domain in DOMAINS if domain in site.clients]
        asked = {"monolith": aside(partial(_ourselves, site, stage))}
        asked |= {domain: aside(partial(_ask, site, domain)) for domain in stage}
        components = [_answer(name, future) for name, future in asked.items()]
        moving = site.moving()
        return render_page(
            "status.html",
            stage=stage,
            moving=[domain for domain in DOMAINS if domain in moving],
            components=components,
            troubles=describe_problems(components),
        )

    return bp


def _ourselves(site: PageContext, stage: list[str]) -> ComponentHealth:
    owns = tuple(domain for domain in DOMAINS if domain not in stage)
    # While nothing is extracted there are no events.
    events = site.event_status() if stage else None
    return ComponentHealth("monolith", owns, site.served_by, events=events)


def _ask(site: PageContext, domain: str) -> ComponentHealth:
    probe = site.probes[domain]
    try:
        ready = probe.request("GET", "/readyz")
    except Failure as failure:
        return ComponentHealth(domain, (domain,), detail=failure.detail)
    return ComponentHealth(
        domain, (domain,), ready.headers.get("X-Served-By", ""), events=_events_of(probe)
    )


def _events_of(probe: ServiceClient) -> Mapping[str, Any]:
    """Ask how far events are; who does not tell still answers for what it owns."""
    try:
        told = probe.request("GET", EVENTS).body
    except Failure:
        return {}
    return told if isinstance(told, Mapping) else {}


def _answer(name: str, asked: Future[ComponentHealth]) -> ComponentHealth:
    try:
        return asked.result(PATIENCE)
    except TimeoutError:
        return ComponentHealth(name, (name,), detail="It did not answer in time.")
