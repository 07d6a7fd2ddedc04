"""The colour theme: the system's, unless the reader chose another one in this browser."""

from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, request
from werkzeug.wrappers import Response

from chassis.cookies import cookie_name
from chassis.http.routing import add_routes, post
from forum.web.csrf import local_path

THEME = "theme"
CHOICES = ("system", "light", "dark")
YEAR = 365 * 24 * 60 * 60  # seconds


def chosen_theme() -> str:
    """Return the theme that the reader chose; "" for the system's."""
    theme = request.cookies.get(cookie_name(THEME), "")
    return theme if theme in CHOICES[1:] else ""


class ThemeSwitch:
    """The switch for browsers without scripts."""

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("theme", __name__)
        add_routes(blueprint, self)
        return blueprint

    @post("/theme")
    def choose(self) -> Response:
        """Store the choice in a cookie, and redirect back."""
        # Only pages of this site can send this form (see `csrf`), and browsers report which one.
        back = urlsplit(request.referrer or "/")
        target = back.path + (f"?{back.query}" if back.query else "")
        # At the switch, where the reader was.
        response = make_response(redirect(f"{local_path(target)}#{THEME}", 303))
        theme = request.form.get("theme", "")
        if theme in CHOICES[1:]:
            # Not HttpOnly: the switch works without a request where scripts run.
            response.set_cookie(
                cookie_name(THEME), theme, max_age=YEAR, samesite="Lax", secure=request.is_secure
            )
        else:
            response.delete_cookie(cookie_name(THEME), samesite="Lax", secure=request.is_secure)
        return response
