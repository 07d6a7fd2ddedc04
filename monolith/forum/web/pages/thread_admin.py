"""Forms that change a thread: its title, its lock, its deletion."""

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from chassis.errors import Failure, Forbidden, PreconditionFailed
from chassis.http.routing import add_routes, get, post
from forum.threads.schemas import NewThread
from forum.threads.state import Thread
from forum.web.context import PageContext
from forum.web.current_user import require_user
from forum.web.forms import Form, parse_version
from forum.web.rendering import render_page


class ThreadAdmin:
    """The forms that change a whole thread."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("thread_admin", __name__)
        add_routes(blueprint, self)
        return blueprint

    @get("/threads/<id:thread_id>/edit")
    def title_form(self, thread_id: str) -> Response:
        """Show the form that changes a title."""
        identity = require_user()
        thread = self._context.threads.get(thread_id)
        if identity.claims.role != "moderator" and thread.author.id != identity.subject:
            detail = "Only the author or a moderator may change this title."
            raise Forbidden(detail)
        form = Form({"title": thread.title, "etag": str(thread.version)})
        return render_page("thread_edit.html", thread=thread, form=form)

    @post("/threads/<id:thread_id>/edit")
    def change_title(self, thread_id: str) -> Response:
        """Change a title, unless it was changed since the form was opened."""
        identity = require_user()
        form = Form.from_request()
        new = form.parse(NewThread, title=form.values.get("title", ""))
        thread: Thread | None = None
        if new:
            expected = parse_version(form.values.get("etag", ""))
            try:
                self._context.threads.change(identity, thread_id, {"title": new.title}, expected)
                return redirect(url_for("thread.page", thread_id=thread_id, done="titled"), 303)
            except PreconditionFailed as failure:
                thread = self._context.threads.get(thread_id)
                form.add_conflict(failure, thread.version)
                form.errors["title"] = f"The current title is “{thread.title}”."
            except Failure as failure:
                form.add_failure(failure, frozenset({"title"}))
        thread = thread or self._context.threads.get(thread_id)
        return render_page("thread_edit.html", form.status, thread=thread, form=form)

    @post("/threads/<id:thread_id>/lock")
    def lock(self, thread_id: str) -> Response:
        """Lock or unlock a thread."""
        locked = request.form.get("locked") == "true"
        self._context.threads.change(require_user(), thread_id, {"locked": locked}, None)
        done = "locked" if locked else "unlocked"
        return redirect(url_for("thread.page", thread_id=thread_id, done=done), 303)

    @post("/threads/<id:thread_id>/delete")
    def delete_thread(self, thread_id: str) -> Response:
        """Delete a thread."""
        self._context.threads.delete(require_user(), thread_id, None)
        return redirect(url_for("thread_list.index", done="deleted"), 303)
