"""Pages of users, and their moderation."""

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from chassis.errors import Failure, FieldError, Invalid, Unavailable
from chassis.http.routing import add_routes, get, post
from forum.users.schemas import PasswordConfirmation
from forum.users.state import User
from forum.web.context import PageContext
from forum.web.current_user import current_user, require_user
from forum.web.forms import Form
from forum.web.rendering import next_url, render_page

PAGE_SIZE = 20
_MODERATION: dict[tuple[str, str], dict[str, Any]] = {
    ("suspended", "true"): {"suspended": True},
    ("suspended", "false"): {"suspended": False},
    ("role", "moderator"): {"role": "moderator"},
    ("role", "member"): {"role": "member"},
}

_DONE_SUSPENDED = {"suspended": True, "reinstated": False}


class UserPages:
    """The pages of users."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("user_pages", __name__)
        add_routes(blueprint, self)
        return blueprint

    @get("/users/<id:user_id>")
    def user(self, user_id: str) -> Response:
        """Show a person and their posts."""
        return self._user_page(user_id, Form())

    def _user_page(self, user_id: str, form: Form) -> Response:
        cursor = request.args.get("cursor", "")
        person, posts = self._context.gather(
            "posts",
            lambda: self._context.users.get(user_id),
            lambda: self._context.posts.by_user(user_id, PAGE_SIZE, cursor),
        )
        page = None if isinstance(posts, Unavailable) else posts
        return render_page(
            "user.html",
            form.status,
            form=form,
            user=person,
            suspended=self._suspended(person),
            posts=page.items if page else None,
            titles=self._context.titles([post.thread_id for post in page.items]) if page else {},
            next_url=next_url(page, ".user", user_id=user_id),
            first_url=url_for(".user", user_id=user_id) if cursor else None,
        )

    def _suspended(self, user: User) -> bool | None:
        """Return whether a user is suspended, as far as moderators are told; None if unknown.

        The forum's own rows may be a replica that lags, also behind what a moderator just did.
        """
        viewer = current_user()
        if viewer is None or viewer.claims.role != "moderator":
            return None
        known = self._context.handles([user.id]).get(user.id)
        done = _DONE_SUSPENDED.get(request.args.get("done", ""))
        if done is not None and (known is None or known.version < user.version):
            return done
        return known.suspended if known else None

    @post("/users/<id:user_id>/moderate")
    def moderate(self, user_id: str) -> Response:
        """Suspend a user, lift the suspension, or change the role, which needs one's password."""
        identity, form = require_user(), Form.from_request()
        wanted = [_MODERATION[pair] for pair in form.values.items() if pair in _MODERATION]
        if len(wanted) != 1:
            raise Invalid(FieldError("", "must name at least one field to change"))
        changes = wanted[0]
        if "role" not in changes:
            self._context.users.change(identity, user_id, changes, None)
        else:
            given = form.parse(PasswordConfirmation, password=form.values.get("password", ""))
            if not given:
                return self._user_page(user_id, form)
            try:
                self._context.users.change(identity, user_id, changes, None, given.password)
            except Failure as failure:
                form.add_failure(failure)
                return self._user_page(user_id, form)
        done = "moderated"
        if "suspended" in changes:
            done = "suspended" if changes["suspended"] else "reinstated"
        return redirect(url_for(".user", user_id=user_id, done=done), 303)
