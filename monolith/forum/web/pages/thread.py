"""A thread's page: its posts, and the reply form."""

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from chassis.errors import Unavailable
from chassis.http.routing import add_routes, get
from forum.threads.state import Thread
from forum.web.context import PageContext
from forum.web.current_user import current_user
from forum.web.forms import Form
from forum.web.pages.post_window import (
    NEWEST,
    POST_ID,
    PostWindow,
    WindowPosition,
    load_window,
)
from forum.web.pages.quoting import quote_post
from forum.web.rendering import render_page


class ThreadPage:
    """A thread's page."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("thread", __name__)
        add_routes(blueprint, self)
        return blueprint

    @get("/threads/<id:thread_id>")
    def page(self, thread_id: str) -> Response:
        """Read a thread."""
        form, quote = Form(), request.args.get("quote", "")
        # Anything else would be part of a path at the posts service.
        if current_user() and POST_ID.fullmatch(quote):
            post = self._context.posts.get(quote)
            if not post.deleted:
                form.values["body"] = quote_post(post)
        return thread_page(self._context, thread_id, form)


def thread_page(context: PageContext, thread_id: str, form: Form, preview: str = "") -> Response:
    """Build a thread's page, with the reply form and its preview."""
    place = WindowPosition.from_arguments(request.args)
    thread, answer = context.gather(
        "posts",
        lambda: context.threads.get(thread_id),
        lambda: load_window(context, thread_id, place),
    )
    unreachable = isinstance(answer, Unavailable)
    stretch = PostWindow() if isinstance(answer, Unavailable) else answer
    newest_first = place.order == NEWEST
    authors = {thread.author.id, *(post.author.id for post in stretch.posts)}
    return render_page(
        "thread.html",
        form.status,
        thread=thread,
        post_count=thread.post_count if unreachable else _count(thread, stretch),
        posts=None if unreachable else stretch.posts[:: -1 if newest_first else 1],
        handles=context.handles(authors),
        order=place.order,
        form=form,
        preview=preview,
        idempotency_key=form.values.get("idempotency_key") or (current_user() and context.new_id()),
        # The newest post, if it is on the page: the script that polls for newer ones needs it.
        newest=stretch.posts[-1].id if stretch.posts and not stretch.has_later else "",
        **_navigation(thread_id, place, stretch),
    )


def _navigation(
    thread_id: str, place: WindowPosition, stretch: PostWindow
) -> dict[str, str | None]:
    """Return the URLs of the adjacent pages."""
    order = place.order if place.order == NEWEST else None
    posts = stretch.posts

    def address(anchor: str | None = None, **values: str) -> str:
        page: dict[str, Any] = {"thread_id": thread_id, "order": order, **values}
        return url_for("thread.page", _anchor=anchor, **page)

    found: dict[str, str | None] = dict.fromkeys(
        ("earlier_url", "later_url", "beginning_url", "newest_url")
    )
    if stretch.has_earlier and posts:
        # The reader continues upwards, so from the end of the earlier page.
        found["earlier_url"] = address(None if order else "end", before=posts[0].id)
    if stretch.has_later and posts:
        found["later_url"] = address(after=posts[-1].id)
    beyond_the_end = not posts and (place.after or place.before)
    if beyond_the_end or (stretch.has_later if order else stretch.has_earlier):
        found["beginning_url"] = address()
    if stretch.has_later and not order:
        found["newest_url"] = address("end", at=NEWEST)
    return found


def _count(thread: Thread, stretch: PostWindow) -> int:
    """Return the number of posts; if the page shows all posts, count those.

    The owner of threads may count a new post slightly later than the next page is read.
    """
    if stretch.has_earlier or stretch.has_later:
        return thread.post_count
    return sum(not post.deleted for post in stretch.posts)


def post_url(thread_id: str, post_id: str, done: str | None = None) -> str:
    """Return the URL of a post on a page of its thread; `done` selects a notice."""
    anchor = f"post-{post_id}"
    return url_for("thread.page", thread_id=thread_id, at=post_id, done=done, _anchor=anchor)
