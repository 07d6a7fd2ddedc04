"""The documentation of the JSON API: Swagger UI over the three OpenAPI documents."""

from importlib.resources import files
from pathlib import Path

from flask import Blueprint
from flask import Response as FlaskResponse
from flask_openapi3.openapi import OpenAPI
from werkzeug.wrappers import Response

from chassis.http.routing import add_routes, get
from forum.domains import DOMAINS
from forum.web import csrf, http_caching
from forum.web.assets import Assets
from forum.web.rendering import render_page

API_DOCS = "/api/docs"
FOLDER = Path(str(files("flask_swagger_ui"))) / "dist"
"""Swagger UI as a package from PyPI carries it; that package's own page has an inline script."""
FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js")
# Swagger UI's stylesheet holds its icons as data: URLs, and its script writes HTML. Scripts and
# styles are files of this site on this page, too.
POLICY = csrf.POLICY.replace("img-src 'self'", "img-src 'self' data:").partition("; require-")[0]


class ApiDocs:
    """The page at `/api/docs`, which no route gives to a service."""

    def __init__(self, app: OpenAPI) -> None:
        self._swagger_ui = Assets(FOLDER, FILES, "/static/swagger-ui")
        self._swagger_ui.install(app)

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("api_docs", __name__)
        add_routes(blueprint, self)
        return blueprint

    @get(API_DOCS)
    def show(self) -> Response:
        """Show the page, the same for everybody."""
        page = render_page("api_docs.html", domains=DOMAINS, swagger_ui=self._swagger_ui.address)
        return _finish(page)


def _finish(page: FlaskResponse) -> FlaskResponse:
    """Add what every page gets; below /api nothing else does."""
    page.headers["Content-Security-Policy"] = POLICY
    return http_caching.finish_response(csrf.add_security_headers(page))
