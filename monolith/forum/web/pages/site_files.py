"""Files that browsers and crawlers ask for by well-known names."""

from flask import Blueprint
from werkzeug.wrappers import Response

from chassis.http.routing import add_routes, get
from forum.web.assets import FOLDER

FAVICON, ROBOTS = "/favicon.ico", "/robots.txt"
PATHS = (FAVICON, ROBOTS)
# Threads and profiles are for everybody; a search engine gains nothing from the rest, and would
# follow the links of forms to sign in.
_RULES = """\
User-agent: *
Disallow: /api/
Disallow: /register
Disallow: /sign-in
Disallow: /status
Disallow: /*?q=
Disallow: /*&quote=
"""
_DAY = "public, max-age=86400"


class SiteFiles:
    """The icon and the rules for crawlers."""

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("site_files", __name__)
        add_routes(blueprint, self)
        return blueprint

    @get(FAVICON)
    def favicon(self) -> Response:
        """Return the icon, for clients that do not read the page's link to it."""
        icon = FOLDER.joinpath("favicon.svg").read_bytes()
        return Response(icon, content_type="image/svg+xml", headers={"Cache-Control": _DAY})

    @get(ROBOTS)
    def robots(self) -> Response:
        """Return the rules for crawlers."""
        return Response(_RULES, content_type="text/plain", headers={"Cache-Control": _DAY})
