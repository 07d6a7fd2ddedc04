"""People's own pages, and what moderators do about people."""

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from chassis.errors import FieldError, Invalid, Unavailable
from forum.web.context import PageContext
from forum.web.current_user import require_user
from forum.web.rendering import next_url, render_page

PAGE_SIZE = 20
_MODERATION: dict[tuple[str, str], dict[str, Any]] = {
    ("suspended", "true"): {"suspended": True},
    ("suspended", "false"): {"suspended": False},
    ("role", "moderator"): {"role": "moderator"},
    ("role", "member"): {"role": "member"},
}


def blueprint(site: PageContext) -> Blueprint:
    """Make the blueprint of people's pages."""
    bp = Blueprint("people", __name__)

    @bp.get("/users/<id:user_id>")
    def user(user_id: str) -> Response:
        """Show a person and what they wrote."""
        cursor = request.args.get("cursor", "")
        person, posts = site.gather(
            "posts",
            lambda: site.users.get(user_id),
            lambda: site.posts.by_user(user_id, PAGE_SIZE, cursor),
        )
        page = None if isinstance(posts, Unavailable) else posts
        return render_page(
            "user.html",
            user=person,
            posts=page.items if page else None,
            titles=site.titles([post.thread_id for post in page.items]) if page else {},
            next_url=next_url(page, ".user", user_id=user_id),
            first_url=url_for(".user", user_id=user_id) if cursor else None,
        )

    @bp.post("/users/<id:user_id>/moderate")
    def moderate(user_id: str) -> Response:
        """Suspend somebody or lift it, or give them a role."""
        identity = require_user()
        wanted = [_MODERATION[pair] for pair in request.form.items() if pair in _MODERATION]
        if len(wanted) != 1:
            raise Invalid(FieldError("", "names nothing to change"))
        site.users.change(identity, user_id, wanted[0], None)
        return redirect(url_for(".user", user_id=user_id, done="moderated"), 303)

    return bp
