"""The page that shows the progress of an erasure to the user who asked for it."""

from flask import Blueprint
from werkzeug.wrappers import Response

from chassis.http.routing import add_routes, get
from forum.web.context import PageContext
from forum.web.rendering import render_page


class ErasureStatusPage:
    """The page of an erasure."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("erasure_status", __name__)
        add_routes(blueprint, self)
        return blueprint

    @get("/users/<id:user_id>/erasure")
    def progress(self, user_id: str) -> Response:
        """Show the progress of an erasure, without a session: the account no longer exists."""
        return render_page("erasure.html", erasure=self._context.users.erasure(user_id))
