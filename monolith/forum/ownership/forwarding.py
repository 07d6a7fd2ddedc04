"""Forwarding of API requests whose domain has just moved to a service."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from flask import request
from flask_openapi3.openapi import OpenAPI
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from chassis.errors import CutoverInProgress, Unavailable
from chassis.headers import CUTOVER_FORWARDED
from chassis.http.problems import failure_response
from chassis.ownership.forwarding import Forwarder
from forum.ownership.state import SETTLED, OwnershipRegistry


def follow_owners(
    app: OpenAPI,
    registry: OwnershipRegistry,
    urls: Mapping[str, str],
    forwarded: AbstractSet[str],
) -> None:
    """Pin one snapshot per request, and serve a domain's API only while the forum owns it.

    During a move, requests for a domain after its cutover are forwarded to its service. Once the
    move is finished, they get a 404, unless the domain is one of `forwarded`.
    """
    services = {domain: Forwarder(url) for domain, url in urls.items()}

    @app.before_request
    def _require_own_domain() -> Response | None:
        registry.pin_snapshot()
        domain = _domain()
        return _forward_unless_own(domain) if domain else None

    @app.teardown_request
    def _unpin(_error: BaseException | None) -> None:
        registry.unpin_snapshot()

    @app.errorhandler(CutoverInProgress)
    def _moved(failure: CutoverInProgress) -> Response:
        """Respond to an API request during a write freeze; it has had no effect."""
        domain = _domain()
        if (
            domain is None
            or CUTOVER_FORWARDED in request.headers
            or not registry.wait_until_writable(domain)
        ):
            return failure_response(failure)
        try:
            return _forward_unless_own(domain) or failure_response(failure)
        except Unavailable as other:
            return failure_response(other)

    def _domain() -> str | None:
        first, _, rest = request.path.removeprefix("/").partition("/")
        domain = rest.partition("/")[0]
        return domain if first == "api" and domain in services else None

    def _forward_unless_own(domain: str) -> Response | None:
        known = registry.snapshot().domains[domain]
        if known.is_own:
            return None
        if known.state == SETTLED and domain not in forwarded:
            raise NotFound
        return services[domain].forward()
