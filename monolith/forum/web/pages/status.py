"""The page that shows which component answers for what, and how far their events are."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from chassis.client.service_client import Peer
from chassis.errors import Failure
from chassis.messaging.status import PATH as EVENTS
from forum.web.context import Site
from forum.web.pages.health_banner import Component, troubles
from forum.web.rendering import show

DOMAINS = ("users", "threads", "posts")
PATIENCE = 4.0
"""So many seconds the page waits for all answers; each probe ends by itself before that."""


def blueprint(site: Site) -> Blueprint:
    """Make the blueprint of the status page."""
    bp = Blueprint("status", __name__)
    # Not the pages' own pool: who asks for this while a part hangs must not stop other pages.
    pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="status")

    def aside(question: Callable[[], Component]) -> Future[Component]:
        return pool.submit(copy_context().run, question)

    @bp.get("/status")
    def status() -> Response:
        """Show how all components are, asked just now and all at once."""
        stage = [domain for domain in DOMAINS if domain in site.services]
        asked = {"monolith": aside(partial(_ourselves, site, stage))}
        asked |= {domain: aside(partial(_ask, site, domain)) for domain in stage}
        components = [_answer(name, future) for name, future in asked.items()]
        moving = site.moving()
        return show(
            "status.html",
            stage=stage,
            moving=[domain for domain in DOMAINS if domain in moving],
            components=components,
            troubles=troubles(components),
        )

    return bp


def _ourselves(site: Site, stage: list[str]) -> Component:
    owns = tuple(domain for domain in DOMAINS if domain not in stage)
    # While nothing is extracted there are no events.
    events = site.progress() if stage else None
    return Component("monolith", owns, site.served_by, events=events)


def _ask(site: Site, domain: str) -> Component:
    probe = site.probes[domain]
    try:
        ready = probe.call("GET", "/readyz")
    except Failure as failure:
        return Component(domain, (domain,), detail=failure.detail)
    return Component(
        domain, (domain,), ready.headers.get("X-Served-By", ""), events=_events_of(probe)
    )


def _events_of(probe: Peer) -> Mapping[str, Any]:
    """Ask how far events are; who does not tell still answers for what it owns."""
    try:
        told = probe.call("GET", EVENTS).body
    except Failure:
        return {}
    return told if isinstance(told, Mapping) else {}


def _answer(name: str, asked: Future[Component]) -> Component:
    try:
        return asked.result(PATIENCE)
    except TimeoutError:
        return Component(name, (name,), detail="It did not answer in time.")
