"""How the APIs answer while domains move: the forum answers for its own, and for no others."""

from collections.abc import Mapping

from flask import request
from flask_openapi3.openapi import OpenAPI
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from chassis.errors import CutoverInProgress, Unavailable
from chassis.http.problems import failure_response
from chassis.ownership.forwarding import FORWARDED_HEADER, Forwarder
from forum.ownership.state import SETTLED, OwnershipRegistry


def follow_owners(app: OpenAPI, stages: OwnershipRegistry, urls: Mapping[str, str]) -> None:
    """Let each request see one stage, and the API of a domain answer only while it is own.

    What was on its way here when its domain moved to a service is sent on there; once the move is
    over, nothing of the domain is answered.
    """
    services = {domain: Forwarder(url) for domain, url in urls.items()}

    @app.before_request
    def _own_only() -> Response | None:
        stages.pin_snapshot()
        domain = _domain()
        return _answer_elsewhere(domain) if domain else None

    @app.teardown_request
    def _let_go(_error: BaseException | None) -> None:
        stages.unpin_snapshot()

    @app.errorhandler(CutoverInProgress)
    def _moved(failure: CutoverInProgress) -> Response:
        """Answer an API's request that met a hold in the middle; it has done nothing yet."""
        domain = _domain()
        if (
            domain is None
            or FORWARDED_HEADER in request.headers
            or not stages.wait_until_writable(domain)
        ):
            return failure_response(failure)
        try:
            return _answer_elsewhere(domain) or failure_response(failure)
        except Unavailable as other:
            return failure_response(other)

    def _domain() -> str | None:
        first, _, rest = request.path.removeprefix("/").partition("/")
        domain = rest.partition("/")[0]
        return domain if first == "api" and domain in services else None

    def _answer_elsewhere(domain: str) -> Response | None:
        known = stages.snapshot().domains[domain]
        if known.is_own:
            return None
        if known.state == SETTLED:
            raise NotFound
        return services[domain].forward()
