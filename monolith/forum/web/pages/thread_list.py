"""The list of threads, and the search in their titles."""

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from chassis.errors import Invalid, Unavailable
from chassis.http.routing import add_routes, get
from forum.pagination import Listing
from forum.threads.state import Thread
from forum.web import notices
from forum.web.context import PageContext
from forum.web.forms import humanize
from forum.web.rendering import next_url, render_page

PAGE_SIZE = 20


class ThreadList:
    """The front page."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("thread_list", __name__)
        add_routes(blueprint, self)
        return blueprint

    @get("/")
    def index(self) -> Response:
        """List threads, or search their titles."""
        q = " ".join(request.args.get("q", "").split())[:120]
        sort = "newest" if request.args.get("sort") == "newest" else "activity"
        cursor = request.args.get("cursor", "")
        page: Listing[Thread] | None = None
        status = 200
        try:
            if q:
                page = self._context.threads.search(q, PAGE_SIZE, cursor)
            else:
                page = self._context.threads.newest(sort, PAGE_SIZE, cursor)
        except Unavailable:
            status = 503
        except Invalid as failure:
            # Too many words, or a cursor of another list: show the error, and keep the query.
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
