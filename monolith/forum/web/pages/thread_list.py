"""The list of threads."""

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from chassis.errors import Invalid, Unavailable
from forum.pagination import Listing
from forum.threads.port import Thread
from forum.web import notices
from forum.web.context import PageContext
from forum.web.forms import humanize
from forum.web.rendering import next_url, render_page

PAGE_SIZE = 20


def blueprint(site: PageContext) -> Blueprint:
    """Make the blueprint of the front page."""
    bp = Blueprint("reading", __name__)

    @bp.get("/")
    def index() -> Response:
        """List threads, or find some by their titles."""
        q = " ".join(request.args.get("q", "").split())[:120]
        sort = "newest" if request.args.get("sort") == "newest" else "activity"
        cursor = request.args.get("cursor", "")
        page: Listing[Thread] | None = None
        status = 200
        try:
            if q:
                page = site.threads.search(q, PAGE_SIZE, cursor)
            else:
                page = site.threads.newest(sort, PAGE_SIZE, cursor)
        except Unavailable:
            status = 503
        except Invalid as failure:
            # Too many words, or a cursor of another list: say so, and keep what was asked.
            status, page = failure.status, Listing([], None)
            for wrong in failure.errors:
                notices.add(notices.WARNING, humanize(wrong.message, wrong.field))
        chosen: dict[str, Any] = {"q": q} if q else {}
        if sort == "newest":
            chosen["sort"] = sort
        return render_page(
            "index.html",
            status,
            threads=page.items if page else None,
            sort=sort,
            q=q,
            first_url=url_for(".index", **chosen) if cursor else None,
            next_url=next_url(page, ".index", **chosen),
        )

    return bp
