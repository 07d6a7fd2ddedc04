"""By whom each part of a page was answered, for the badge that shows the split at work."""

from typing import Any

from flask import g, has_request_context
from markupsafe import Markup

from chassis.client.responses import ServiceResponse
from chassis.client.service_client import ServiceClient

REPLICA = "copy"
"""Stands for what the monolith keeps of a part that did not answer."""


class NotedPeer(ServiceClient):
    """A peer of which the page that is being made knows afterwards who it was."""

    domain = ""

    def request(self, method: str, path: str, **others: Any) -> ServiceResponse:
        """Make a call, and note which component and revision answered it."""
        reply = super().request(method, path, **others)
        record(self.domain, reply.headers.get("X-Served-By", ""))
        return reply


def noted(domain: str, name: str, url: str) -> NotedPeer:
    """Make the peer that keeps a domain; `name` is what people call it."""
    peer = NotedPeer(name, url)
    peer.domain = domain
    return peer


def record(domain: str, served_by: str) -> None:
    """Note who answered for a domain."""
    if served_by and has_request_context():
        g.setdefault("served", {})[domain] = served_by


def badge(domain: str, ourselves: str) -> Markup:
    """Say who answered for a domain; `ourselves` is what the monolith is called."""
    who = g.get("served", {}).get(domain, ourselves)
    component = "monolith" if who == REPLICA else who.partition("/")[0]
    said = f"{ourselves}, from its copy" if who == REPLICA else who
    return Markup(
        '<p class="badge" data-by="{}"><span class="unseen">This part was answered by </span>{}</p>'
    ).format(component, said)
