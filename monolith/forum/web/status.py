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
            {"name": "monolith", "served_by": site.served_by, "state": "ok", "owns": own}
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
        return {
            "name": domain,
            "served_by": None,
            "state": "down",
            "owns": [domain],
            "detail": failure.detail,
        }
    served_by = reply.headers.get("X-Served-By")
    return {"name": domain, "served_by": served_by, "state": "ok", "owns": [domain]}
