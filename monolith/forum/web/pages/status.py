"""The status page: owners of domains, and the health of components."""

from flask import Blueprint
from werkzeug.wrappers import Response

from chassis.http.routing import add_routes, get
from forum.domains import NAMES
from forum.web.context import PageContext
from forum.web.pages.health_banner import describe_problems
from forum.web.pages.health_checks import HealthChecks
from forum.web.rendering import render_page


class StatusPage:
    """The status page."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._health = HealthChecks(context.served_by, context.event_status, context.probes)

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("status", __name__)
        add_routes(blueprint, self)
        return blueprint

    @get("/status")
    def status(self) -> Response:
        """Show the health of all components."""
        ownership = self._context.ownership()
        stage = tuple(domain for domain in NAMES if domain in ownership.extracted)
        components = self._health.read(stage)
        return render_page(
            "status.html",
            stage=stage,
            moving=[domain for domain in NAMES if domain in ownership.moving],
            components=components,
            troubles=describe_problems(components),
        )
