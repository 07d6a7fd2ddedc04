"""The page that shows which component answers for what."""

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from chassis.errors import Failure
from forum.web.present import show
from forum.web.site import Site

DOMAINS = ("users", "threads", "posts")


def blueprint(site: Site) -> Blueprint:
    """Make the blueprint of the status page."""
    bp = Blueprint("status", __name__)

    @bp.get("/status")
    def status() -> Response:
        """Show which component answers for what, asked just now."""
        own = [domain for domain in DOMAINS if domain not in site.services]
        components: list[dict[str, Any]] = [
            _component("monolith", own, served_by=site.served_by),
        ]
        components += [_ask(site, domain) for domain in DOMAINS if domain in site.services]
        return show(
            "status.html",
            stage=[domain for domain in DOMAINS if domain in site.services],
            components=components,
        )

    return bp


def _ask(site: Site, domain: str) -> dict[str, Any]:
    try:
        reply = site.services[domain].call("GET", "/readyz")
    except Failure as failure:
        return _component(domain, [domain], detail=failure.detail)
    return _component(domain, [domain], served_by=reply.headers.get("X-Served-By", ""))


def _component(
    name: str, owns: list[str], *, served_by: str = "", detail: str = ""
) -> dict[str, Any]:
    state = "down" if detail else "ok"
    return {"name": name, "owns": owns, "state": state, "served_by": served_by, "detail": detail}
