"""How far the erasure of an account is, for the one who asked for it."""

from flask import Blueprint
from werkzeug.wrappers import Response

from forum.web.context import PageContext
from forum.web.rendering import render_page


def blueprint(site: PageContext) -> Blueprint:
    """Make the blueprint of that page."""
    bp = Blueprint("erasing", __name__)

    @bp.get("/users/<id:user_id>/erasure")
    def progress(user_id: str) -> Response:
        """Show how far an erasure is; nobody has to be signed in, or could be."""
        return render_page("erasure.html", erasure=site.users.erasure(user_id))

    return bp
