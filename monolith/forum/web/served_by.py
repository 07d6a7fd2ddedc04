"""The badges that show which component served each part of a page."""

from flask import g, has_request_context
from markupsafe import Markup

from chassis.client.responses import ServiceResponse
from chassis.headers import SERVED_BY

REPLICA = "copy"
"""Value for the monolith's replica of a domain whose service is unreachable."""


def observe(domain: str, response: ServiceResponse) -> None:
    """Record the component and revision that served a domain; an observer of its client."""
    record(domain, response.headers.get(SERVED_BY, ""))


def record(domain: str, served_by: str) -> None:
    """Record the component that served a domain."""
    if served_by and has_request_context():
        g.setdefault("served", {})[domain] = served_by


def badge(domain: str, monolith: str) -> Markup:
    """Render a domain's badge; `monolith` is the monolith's own `X-Served-By`."""
    served_by = g.get("served", {}).get(domain, monolith)
    component = "monolith" if served_by == REPLICA else served_by.partition("/")[0]
    shown = f"{monolith}, from its replica" if served_by == REPLICA else served_by
    return Markup(
        '<p class="badge" data-by="{}"><span class="unseen">Served by </span>{}</p>'
    ).format(component, shown)
