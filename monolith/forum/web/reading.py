"""Threads and their posts, to be read."""

import re
from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from chassis.errors import Invalid, Unavailable
from forum.listing import Listing
from forum.posts.port import Post
from forum.threads.port import Thread
from forum.web import notices
from forum.web.forms import Form, plainly
from forum.web.present import next_url, show
from forum.web.site import Site
from forum.web.viewer import viewer

PAGE = 20
AN_ID = re.compile(r"[0-9a-z-]{36}")


def blueprint(site: Site) -> Blueprint:
    """Make the blueprint of the pages to be read."""
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
                page = site.threads.search(q, PAGE, cursor)
            else:
                page = site.threads.newest(sort, PAGE, cursor)
        except Unavailable:
            status = 503
        except Invalid as failure:
            # Too many words, or a cursor of another list: say so, and keep what was asked.
            status, page = failure.status, Listing([], None)
            for wrong in failure.errors:
                notices.add(notices.WARNING, plainly(wrong.message, wrong.field))
        chosen: dict[str, Any] = {"q": q} if q else {}
        if sort == "newest":
            chosen["sort"] = sort
        return show(
            "index.html",
            status,
            threads=page.items if page else None,
            sort=sort,
            q=q,
            first_url=url_for(".index", **chosen) if cursor else None,
            next_url=next_url(page, ".index", **chosen),
        )

    @bp.get("/threads/<id:thread_id>")
    def thread(thread_id: str) -> Response:
        """Read a thread."""
        return thread_page(site, thread_id, Form())

    return bp


def thread_page(site: Site, thread_id: str, form: Form) -> Response:
    """Make a thread's page, with what somebody is about to reply."""
    order = "newest" if request.args.get("order") == "newest" else "oldest"
    cursor, at = request.args.get("cursor", ""), request.args.get("at", "")
    if not AN_ID.fullmatch(at):
        at = ""
    thread, posts = site.both(
        "posts",
        lambda: site.threads.get(thread_id),
        lambda: _posts(site, thread_id, order, cursor, at),
    )
    page, is_first = (None, True) if isinstance(posts, Unavailable) else posts
    chosen: dict[str, Any] = {"thread_id": thread_id}
    if order == "newest":
        chosen["order"] = order
    return show(
        "thread.html",
        form.status,
        thread=thread,
        post_count=_count(thread, page, is_first=is_first),
        posts=page.items if page else None,
        order=order,
        form=form,
        idempotency_key=form.values.get("idempotency_key") or (viewer() and site.new_id()),
        first_url=None if is_first else url_for("reading.thread", **chosen),
        next_url=next_url(page, "reading.thread", **chosen),
        newest_url=url_for("reading.thread", thread_id=thread_id, order="newest"),
    )


def _count(thread: Thread, page: Listing[Post] | None, *, is_first: bool) -> int:
    """Tell the number of posts: that of the page where it shows all, and so one's own reply too.

    Whoever keeps threads may hear of a post a moment later than the page that follows it is read.
    """
    if page is None or not is_first or page.next is not None:
        return thread.post_count
    return sum(not post.deleted for post in page.items)


def _posts(
    site: Site, thread_id: str, order: str, cursor: str, at: str
) -> tuple[Listing[Post], bool]:
    """Read the page of a thread that the address asks for; `at` names a post to be on it.

    Answers also whether it is the first page.
    """
    direction = "desc" if order == "newest" else "asc"
    page = site.posts.in_thread(thread_id, direction, PAGE, cursor)
    if not at or cursor or order == "newest" or any(post.id == at for post in page.items):
        return page, not cursor
    # An id without its end sorts just before it, so the page that follows begins with the post.
    before = site.cursors.encode(f"posts:in-thread:{thread_id}:asc", (at[:-1],))
    found = site.posts.in_thread(thread_id, "asc", PAGE, before or "")
    return (found, False) if found.items else (page, True)


def place(thread_id: str, post_id: str) -> str:
    """Give the address of a post on a page of its thread."""
    return url_for("reading.thread", thread_id=thread_id, at=post_id, _anchor=f"post-{post_id}")
