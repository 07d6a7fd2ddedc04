"""Forms that start threads, and write, edit and delete posts."""

from typing import Any

from flask import Blueprint, Response, redirect, url_for
from markupsafe import escape
from werkzeug.wrappers import Response as AnyResponse

from chassis.errors import Failure, Forbidden, PreconditionFailed
from chassis.http.routing import add_routes, get, post
from chassis.idempotency.keys import IdempotencyKey
from chassis.markdown import render
from forum.posts.schemas import NewPost, PostChange
from forum.threads.schemas import NewThread
from forum.web.context import PageContext
from forum.web.current_user import current_user, require_user
from forum.web.forms import Form, parse_version
from forum.web.pages.thread import post_url, thread_page
from forum.web.rendering import render_page

THREADS = "/api/threads"
POSTS = "/api/posts"
HTML = "text/html; charset=utf-8"
# They tell the next page that a form was accepted, so that the browser's draft can be removed.
POSTED, STARTED, REWRITTEN = "posted", "started", "rewritten"


class PostForms:
    """The forms that write posts and threads."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    def blueprint(self) -> Blueprint:
        """Build the blueprint."""
        blueprint = Blueprint("post_forms", __name__)
        add_routes(blueprint, self)
        return blueprint

    @post("/threads/<id:thread_id>")
    def reply(self, thread_id: str) -> AnyResponse:
        """Reply in a thread."""
        identity = require_user()
        form = Form.from_request()
        preview = self._preview(form)
        if preview is not None:
            return thread_page(self._context, thread_id, form, preview)
        new = form.parse(NewPost, thread_id=thread_id, body=form.values.get("body", ""))
        if new:
            payload = new.model_dump()
            try:
                made = self._context.posts.create(
                    identity, thread_id, new.body, _key(self._context, form, POSTS, payload)
                )
            except Failure as failure:
                form.add_failure(failure, frozenset({"body"}))
            else:
                return redirect(post_url(thread_id, made["id"], POSTED), 303)
        return thread_page(self._context, thread_id, form)

    @get("/threads/new")
    def thread_form(self) -> AnyResponse:
        """Show the form of a new thread."""
        if current_user() is None:
            return redirect(url_for("account.sign_in", next=url_for(".thread_form")), 303)
        return render_page(
            "thread_new.html", form=Form({"idempotency_key": self._context.new_id()})
        )

    @post("/threads/new")
    def new_thread(self) -> AnyResponse:
        """Start a thread with its first post: two writes, each of which can be repeated."""
        identity = require_user()
        form = Form.from_request()
        preview = self._preview(form)
        if preview is not None:
            return render_page("thread_new.html", form.status, form=form, preview=preview)
        title = form.parse(NewThread, title=form.values.get("title", ""))
        post = form.parse(NewPost, thread_id="to-be", body=form.values.get("body", ""))
        if title and post:
            try:
                thread_id = form.values.get("thread_id", "")
                if not thread_id:
                    key = _key(self._context, form, THREADS, title.model_dump())
                    thread_id = self._context.threads.create(identity, title.title, key)["id"]
                    form.values["thread_id"] = thread_id
                first = form.parse(NewPost, thread_id=thread_id, body=post.body)
                if first:
                    key = _key(self._context, form, POSTS, first.model_dump())
                    made = self._context.posts.create(identity, thread_id, first.body, key)
                    return redirect(post_url(thread_id, made["id"], STARTED), 303)
            except Failure as failure:
                form.add_failure(failure, frozenset({"title", "body"}))
        form.values.setdefault("idempotency_key", self._context.new_id())
        return render_page("thread_new.html", form.status, form=form)

    @get("/posts/<id:post_id>/edit")
    def edit_form(self, post_id: str) -> AnyResponse:
        """Show the form that edits one's own post."""
        identity = require_user()
        post = self._context.posts.get(post_id)
        if post.author.id != identity.subject or post.deleted:
            detail = "Only the author may edit this post."
            raise Forbidden(detail)
        form = Form({"body": post.body, "etag": str(post.version)})
        return render_page("post_edit.html", post=post, form=form)

    @post("/posts/<id:post_id>/edit")
    def edit(self, post_id: str) -> AnyResponse:
        """Edit one's own post, unless it was changed since the form was opened."""
        identity = require_user()
        form = Form.from_request()
        preview = self._preview(form)
        if preview is not None:
            post = self._context.posts.get(post_id)
            return render_page("post_edit.html", form.status, post=post, form=form, preview=preview)
        current = None
        change = form.parse(PostChange, body=form.values.get("body", ""))
        if change:
            expected = parse_version(form.values.get("etag", ""))
            try:
                post = self._context.posts.change(identity, post_id, change.body, expected)
                return redirect(post_url(post.thread_id, post.id, REWRITTEN), 303)
            except PreconditionFailed as failure:
                current = self._context.posts.get(post_id)
                form.add_conflict(failure, current.version)
            except Failure as failure:
                form.add_failure(failure, frozenset({"body"}))
        return render_page(
            "post_edit.html",
            form.status,
            post=current or self._context.posts.get(post_id),
            form=form,
            current_body=current.body if current else None,
        )

    @post("/posts/<id:post_id>/delete")
    def delete_post(self, post_id: str) -> AnyResponse:
        """Remove a post's text."""
        identity = require_user()
        post = self._context.posts.get(post_id)
        self._context.posts.delete(identity, post_id, None)
        return redirect(post_url(post.thread_id, post_id), 303)

    @post("/preview")
    def script_preview(self) -> AnyResponse:
        """Return the preview of a text, or its error, for scripts that show it in place."""
        identity = require_user()
        form = Form.from_request()
        self._context.require_writer(identity)
        html = _render_body(form)
        if "body" in form.errors:
            return Response(escape(form.errors["body"]), form.status, content_type=HTML)
        return Response(html, content_type=HTML)

    def _preview(self, form: Form) -> str | None:
        """Render the text of a form submitted for preview; None for other forms.

        A text that may not be posted is not rendered, and the form gets the post's error.
        """
        if form.values.pop("preview", None) is None:
            return None
        try:
            self._context.require_writer(require_user())
        except Failure as failure:
            form.add_failure(failure)
            return ""
        if not form.values.get("body", "").strip():
            form.errors["body"] = "Nothing to preview yet."
        return _render_body(form)


def _render_body(form: Form) -> str:
    """Render the text of a post, if it is valid."""
    body = form.values.get("body", "")
    valid = body.strip() and form.parse(PostChange, body=body)
    return render(valid.body) if valid else ""


def _key(
    context: PageContext, form: Form, path: str, payload: dict[str, Any]
) -> IdempotencyKey | None:
    text = form.values.get("idempotency_key") or None
    return context.idempotency_keys.from_header(
        text, owner=require_user().subject, path=path, payload=payload
    )
